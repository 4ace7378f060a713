import json
import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.data.dataset import GateReceipt, ValidatedDataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import ColumnSchema, TableSchema, dtype_name
from assay.errors import (
    DataContractError,
    EmptyDataError,
    MissingColumnError,
    SchemaDriftError,
    SingleClassError,
)
from assay.learning.splitting import split_window
from assay.learning.training import train
from assay.learning.tuning.fold_schemes import make_folds
from assay.results.learned_rows import LearnedRows, learned_from
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec


def spec(task="binary_classification", **parts):
    dataset = {"source": "x", "target": "y", **parts.pop("dataset", {})}
    return PipelineSpec.model_validate_json(json.dumps({"name": "p", "task": task, "dataset": dataset, **parts}))


def validated(roles=None, **columns):
    table = pa.table(columns)
    roles = {"x": "numeric", "y": "boolean", "g": "categorical"} | (roles or {})
    schema = TableSchema(
        version=1,
        columns=tuple(
            ColumnSchema(name=n, dtype=dtype_name(table.schema.field(n).type), role=ColumnRole(roles[n]))
            for n in table.column_names
        ),
    )
    identity = fingerprint(table)
    receipt = GateReceipt(
        data_digest=identity.digest, rules_digest="r", verdict="passed", failed_rules=(), rows=table.num_rows
    )
    return ValidatedDataset(table=table, schema=schema, fingerprint=identity, receipt=receipt)


def alternating(n, start=0):
    return validated(x=list(range(start, start + n)), y=[i % 2 == 0 for i in range(n)])


def by_time(n, **parts):
    partitions = {"by": "month", "start": "2024-01"}
    split = {"by": "time", "train_partitions": n}
    return spec(split=split, dataset={"partitions": partitions}, **parts)


def held_out(window, parts):
    """Return the `x` of the holdout rows."""
    return set(split_window(window, parts).holdout.features["x"].tolist())


def noise(share, n):
    """Return four standard deviations of a share of n rows."""
    return 4 * (share * (1 - share) / n) ** 0.5


@settings(max_examples=25)
@given(st.integers(40, 80), st.floats(0.2, 0.6), st.integers(0, 5), st.sampled_from(["random", "stratified"]))
def test_each_row_is_on_exactly_one_side(n, test_size, seed, by):
    split = split_window({"": alternating(n)}, spec(split={"by": by, "test_size": test_size, "seed": seed}))
    train, holdout = split.train.features["x"].tolist(), split.holdout.features["x"].tolist()
    assert sorted(train + holdout) == list(range(n))
    assert abs(len(holdout) / n - test_size) < noise(test_size, n)
    assert split.holdout_table.column("x").to_pylist() == holdout


@settings(max_examples=40)
@given(
    order=st.permutations(range(60)),
    appended=st.integers(0, 60),
    seed=st.integers(0, 99),
    sizes=st.tuples(st.floats(0.1, 0.4), st.floats(0.4, 0.9)),
    by=st.sampled_from(["random", "stratified", "group"]),
)
def test_a_row_keeps_its_side_when_data_grow_are_reordered_or_reseeded(order, appended, seed, sizes, by):
    def window(numbers):
        columns = {"x": numbers, "y": [n % 2 == 0 for n in numbers]} | {"g": [f"g{n}" for n in numbers]}
        return {"": validated(**columns)}

    parts = {"by": by} | ({"group": "g"} if by == "group" else {})
    before = held_out(window(list(range(60))), spec(split=parts | {"test_size": sizes[0]}))
    numbers = [*order, *range(60, 60 + appended)]
    after = held_out(window(numbers), spec(split=parts | {"test_size": sizes[0], "seed": seed}))
    larger = held_out(window(numbers), spec(split=parts | {"test_size": sizes[1]}))
    assert after & set(range(60)) == before
    assert after <= larger


def test_repeated_rows_are_on_one_side():
    data = validated(x=[n % 50 for n in range(500)], y=[n % 2 == 0 for n in range(500)])
    split = split_window({"": data}, spec())
    assert not set(split.train.features["x"]) & set(split.holdout.features["x"])


def test_two_pipelines_hold_out_different_rows_of_the_same_data():
    window = {"": alternating(400)}
    one, other = spec(), spec().model_copy(update={"name": "q"})
    assert held_out(window, one) != held_out(window, other)


def test_a_corrected_label_an_added_derivation_and_another_role_make_no_other_row():
    numbers = list(range(200))
    before = {"": validated(x=numbers, y=[n % 2 == 0 for n in numbers], g=[str(n) for n in numbers])}
    after = {
        "": validated(
            {"x": "numeric", "late": "boolean", "g": "ignored"},
            x=numbers,
            y=[n % 3 == 0 for n in numbers],
            g=[str(n) for n in numbers],
            late=[n > 100 for n in numbers],
        )
    }
    derived = spec(dataset={"derive": {"late": {"column": "x", "greater_than": 100}}})
    assert held_out(before, spec()) == held_out(after, derived)


@pytest.mark.parametrize("parts", [{"split": {"key": ["x"]}}, {"validation": {"unique": [["x"]]}}])
def test_a_declared_key_is_the_identity_so_that_other_values_may_change(parts):
    numbers = list(range(200))
    one, other = (
        validated(x=numbers, y=[n % 2 == 0 for n in numbers], g=[str(n + k) for n in numbers]) for k in (0, 1)
    )
    assert held_out({"": one}, spec(**parts)) == held_out({"": other}, spec(**parts))
    assert held_out({"": one}, spec()) != held_out({"": other}, spec())


def test_a_further_column_moves_no_row_where_the_schema_version_kept_the_identity():
    numbers = list(range(200))
    before = validated(x=numbers, y=[n % 2 == 0 for n in numbers])
    after = validated(x=numbers, y=[n % 2 == 0 for n in numbers], g=[str(n) for n in numbers])
    kept = replace(after, schema=after.schema.model_copy(update={"row_identity": ("x",)}))
    assert held_out({"": kept}, spec()) == held_out({"": before}, spec())
    assert held_out({"": after}, spec()) != held_out({"": before}, spec())


def test_what_a_continued_model_held_out_stays_held_out_under_another_name(make_spec, make_split, make_best):
    base = train(make_split("regression"), make_best("ridge"), make_spec("regression")).manifest
    window = {"": alternating(400)}
    of_base = base.model_copy(update={"learned": (split_window(window, spec()).learned,)})
    renamed = spec().model_copy(update={"name": "q"})
    assert held_out(window, spec()) == set(split_window(window, renamed, of_base).holdout.features["x"])
    assert held_out(window, spec()) != set(split_window(window, renamed, base).holdout.features["x"])


def test_a_stratified_split_keeps_the_share_of_each_class_up_to_the_noise_of_the_hash():
    data = validated(x=list(range(20_000)), y=[n % 20 == 0 for n in range(20_000)])
    split = split_window({"": data}, spec(split={"by": "stratified", "test_size": 0.2}))
    for label, rows in ((True, 1_000), (False, 19_000)):
        assert abs((split.holdout.target == label).sum() / rows - 0.2) < noise(0.2, rows)


def test_a_class_on_one_side_is_refused_with_the_sizes_that_work():
    data = validated(x=list(range(300)), y=[n < 3 for n in range(300)])
    with pytest.raises(SingleClassError, match="on one side") as caught:
        split_window({"": data}, spec(split={"by": "stratified", "test_size": 0.2}))
    low = float(re.search(r"between ([0-9.]+) and", caught.value.remedy)[1])
    found = split_window({"": data}, spec(split={"by": "stratified", "test_size": low}))
    assert 0 < found.holdout.target.sum() < 3


def test_a_small_class_of_three_may_lack_holdout_rows_but_not_training_rows():
    labels = ["a" if n % 2 else "b" for n in range(400)] + ["c", "c"]
    data = validated({"y": "categorical"}, x=list(range(402)), y=labels)
    task = "multiclass_classification"
    small = split_window({"": data}, spec(task, split={"by": "stratified", "test_size": 0.05}))
    assert "c" not in set(small.holdout.target)
    with pytest.raises(SingleClassError, match="one side"):
        split_window({"": data}, spec(task, split={"by": "stratified", "test_size": 0.9}))


def test_the_rule_of_the_split_names_the_rows_that_a_model_learns_from():
    data = alternating(300)
    split = split_window({"": data}, spec(split={"test_size": 0.3}))
    learned = learned_from([split.learned], data.table, np.full(300, "", dtype=object))
    assert set(np.flatnonzero(learned)) == set(split.train.features["x"])
    months = {"2024-01": alternating(5), "2024-02": alternating(5, 100)}
    assert split_window(months, by_time(1)).learned == LearnedRows(partitions=("2024-01",))


def test_a_group_is_never_on_both_sides():
    data = validated(x=list(range(60)), y=[i % 2 == 0 for i in range(60)], g=[f"g{i // 6}" for i in range(60)])
    declared = {"columns": {"g": {"role": "categorical"}}}
    split = split_window({"": data}, spec(split={"by": "group", "group": "g", "test_size": 0.4}, dataset=declared))
    assert not set(split.train.features["g"]) & set(split.holdout.features["g"])
    assert split.train_groups.tolist() == split.train.features["g"].tolist()


def test_rows_that_share_a_declared_key_are_on_one_side_and_in_one_fold():
    data = validated(x=list(range(300)), y=[n % 2 == 0 for n in range(300)], g=[f"g{n // 3}" for n in range(300)])
    split = split_window({"": data}, spec(split={"key": ["g"]}))
    folds = make_folds(split.train.target, spec(), split.train_groups)
    key = split.train.features["x"].to_numpy() // 3
    assert not set(key) & set(split.holdout.features["x"] // 3)
    assert all(not set(key[fold.train]) & set(key[fold.validation]) for fold in folds)
    assert split_window({"": data}, spec(split={"key": ["x"]})).train_groups is None


def test_by_time_the_newest_partition_is_the_holdout_and_all_earlier_ones_train():
    window = {"2024-03": alternating(4, 200), "2024-01": alternating(6, 0), "2024-02": alternating(5, 100)}
    split = split_window(window, by_time(2))
    assert split.holdout.features["x"].tolist() == [200, 201, 202, 203]
    assert split.train.features["x"].tolist() == [*range(6), *range(100, 105)]
    assert split.train_groups.tolist() == ["2024-01"] * 6 + ["2024-02"] * 5
    assert split.data_digests == {key: data.fingerprint.digest for key, data in window.items()}
    assert split.holdout_digest == window["2024-03"].fingerprint.digest


def test_missing_partitions_are_counted():
    with pytest.raises(DataContractError, match="2 partitions are missing") as caught:
        split_window({"2024-01": alternating(4), "2024-02": alternating(4)}, by_time(3))
    assert "4 partitions" in caught.value.expected


def test_all_partitions_are_pooled_unless_the_split_is_by_time():
    window = {"a": alternating(10), "b": alternating(10, 100)}
    split = split_window(window, spec())
    assert len(split.train.target) + len(split.holdout.target) == 20
    assert split.train_groups is None


def test_partitions_with_other_columns_are_refused_with_the_column():
    window = {"a": alternating(4), "b": validated(x=[1], y=[True], g=["q"])}
    with pytest.raises(SchemaDriftError, match="'g'"):
        split_window(window, spec())


def test_partitions_with_types_that_do_not_go_together_are_refused_with_the_column():
    window = {"a": alternating(4), "b": validated(x=["one", "two"], y=[True, False])}
    with pytest.raises(SchemaDriftError, match="'x'"):
        split_window(window, spec())


def test_whole_numbers_and_fractions_of_different_partitions_go_together():
    window = {"a": alternating(4), "b": validated(x=[0.5, None, 0.5, 0.5], y=[True, False, True, False])}
    split = split_window(window, spec(split={"test_size": 0.5}))
    assert split.train.features["x"].dtype == np.float64


@pytest.mark.parametrize(
    ("labels", "classes"),
    [([True, False], (False, True)), (["yes", "no"], ("no", "yes")), ([1, 0], (0, 1))],
)
def test_classes_are_plain_values_with_the_positive_one_last(labels, classes):
    data = validated(x=list(range(20)), y=labels * 10)
    found = split_window({"": data}, spec()).classes
    assert found == classes
    assert [type(label) for label in found] == [type(label) for label in classes]


def test_a_regression_has_no_classes():
    data = validated(x=list(range(20)), y=[float(i) for i in range(20)])
    assert split_window({"": data}, spec(task="regression")).classes == ()


def test_a_single_class_in_the_training_rows_is_refused():
    data = validated(x=list(range(20)), y=[True] * 20)
    with pytest.raises(SingleClassError, match="single class"):
        split_window({"": data}, spec())


def test_a_class_with_one_row_cannot_be_stratified():
    data = validated(x=list(range(20)), y=[True] + [False] * 19)
    with pytest.raises(SingleClassError, match="single row"):
        split_window({"": data}, spec(split={"by": "stratified"}))


def test_three_classes_are_no_binary_classification():
    data = validated(x=list(range(30)), y=["a", "b", "c"] * 10)
    with pytest.raises(DataContractError, match="3 classes"):
        split_window({"": data}, spec())


def test_a_missing_target_value_is_refused():
    data = validated(x=list(range(20)), y=[True, None] * 10)
    with pytest.raises(DataContractError, match="missing in some rows"):
        split_window({"": data}, spec())


def test_a_missing_target_column_is_refused():
    with pytest.raises(MissingColumnError, match="target"):
        split_window({"": alternating(10)}, spec(dataset={"target": "z"}))


def test_an_empty_partition_leaves_no_holdout():
    empty = replace(alternating(4), table=alternating(4).table.slice(0, 0))
    with pytest.raises(EmptyDataError):
        split_window({"2024-01": alternating(4), "2024-02": empty}, by_time(1))


def test_too_few_rows_to_split_are_refused():
    with pytest.raises(EmptyDataError, match="a side of the split is empty"):
        split_window({"": alternating(1)}, spec())


def test_no_partition_at_all_is_refused():
    with pytest.raises(DataContractError, match="1 partition is missing"):
        split_window({}, spec())
