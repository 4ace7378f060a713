import json
from dataclasses import replace

import numpy as np
import pandas as pd
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


@settings(max_examples=25)
@given(st.integers(10, 80), st.floats(0.2, 0.6), st.integers(0, 5), st.sampled_from(["random", "stratified"]))
def test_each_row_is_on_exactly_one_side(n, test_size, seed, by):
    split = split_window({"": alternating(n)}, spec(split={"by": by, "test_size": test_size, "seed": seed}))
    train, holdout = split.train.features["x"].tolist(), split.holdout.features["x"].tolist()
    assert sorted(train + holdout) == list(range(n))
    assert abs(len(holdout) - n * test_size) <= 2


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    window = {"": alternating(50)}
    first, again, other = (split_window(window, spec(split={"seed": seed})) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.train.features, again.train.features)
    assert first.holdout_digest == again.holdout_digest
    assert first.holdout_digest != other.holdout_digest


def test_a_stratified_split_keeps_the_share_of_each_class():
    data = validated(x=list(range(100)), y=[i < 10 for i in range(100)])
    split = split_window({"": data}, spec(split={"by": "stratified", "test_size": 0.2}))
    assert split.holdout.target.sum() == 2
    assert split.train.target.sum() == 8


def test_a_group_is_never_on_both_sides():
    data = validated(x=list(range(60)), y=[i % 2 == 0 for i in range(60)], g=[f"g{i // 6}" for i in range(60)])
    declared = {"columns": {"g": {"role": "categorical"}}}
    split = split_window({"": data}, spec(split={"by": "group", "group": "g"}, dataset=declared))
    assert not set(split.train.features["g"]) & set(split.holdout.features["g"])
    assert split.train_groups.tolist() == split.train.features["g"].tolist()


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
    split = split_window(window, spec())
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
    with pytest.raises(DataContractError, match="cannot be split"):
        split_window({"": alternating(1)}, spec())


def test_no_partition_at_all_is_refused():
    with pytest.raises(DataContractError, match="1 partition is missing"):
        split_window({}, spec())
