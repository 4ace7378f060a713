"""A decision is made on rows that neither model has learned from, of classes that both know; else it says so."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from assay.data.dataset import GateReceipt, ValidatedDataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import ColumnSchema, TableSchema, dtype_name
from assay.learning.evaluation.evaluating import evaluate
from assay.learning.splitting import split_window
from assay.learning.training import train
from assay.promotion.decision import decide
from assay.results.learned_rows import LearnedRows
from assay.specs import PipelineSpec
from assay.specs.dataset import ColumnRole


def spec(task="binary_classification", **parts):
    dataset = {"source": "x", "target": "y", **parts.pop("dataset", {})}
    return PipelineSpec.model_validate_json(json.dumps({"name": "p", "task": task, "dataset": dataset, **parts}))


def window(version=1, **columns):
    table = pa.table(columns)
    roles = {"y": ColumnRole.CATEGORICAL}
    schema = TableSchema(
        version=version,
        columns=tuple(
            ColumnSchema(name=field.name, dtype=dtype_name(field.type), role=roles.get(field.name, ColumnRole.NUMERIC))
            for field in table.schema
        ),
    )
    own = fingerprint(table)
    receipt = GateReceipt(data_digest=own.digest, rules_digest="r", verdict="passed", rows=table.num_rows)
    return {"": ValidatedDataset(table, schema, own, receipt)}


def rows(count, seed=0, classes=("no", "yes"), weight=1.0, noise=1.0):
    """Return columns in which `a` decides in part, and `b` the rest."""
    random = np.random.default_rng(seed)
    a, b = random.normal(size=count), random.normal(size=count)
    score = weight * a + 2 * b + noise * random.normal(size=count)
    bounds = np.quantile(score, np.linspace(0, 1, len(classes) + 1)[1:-1])
    return {"a": a, "b": b, "y": np.array(classes, dtype=object)[np.digitize(score, bounds)]}


@pytest.fixture
def duel(make_best):
    """Return a function that trains champion and challenger, each from its window, and decides."""

    def decided(old, new, old_spec, new_spec, family="logistic_regression", change=lambda champion: champion):
        before, after = split_window(old, old_spec), split_window(new, new_spec)
        champion = change(train(before, make_best(family), old_spec))
        challenger = train(after, make_best(family), new_spec)
        return decide(challenger, champion, after, evaluate(challenger, after, new_spec), new_spec)

    return decided


def test_appended_rows_and_a_far_better_feature_are_promoted_with_honest_numbers(make_best):
    """The case of bank data: a tenth of the rows appended and one far better feature, a random forest."""
    both = rows(2_500)
    grown = {name: np.concatenate([both[name], more]) for name, more in rows(260, seed=1).items()}
    old = window(**{name: both[name] for name in ("a", "y")})
    new = window(**grown)
    # the row's content has a column more: a key keeps rows on their sides
    asked = spec(split={"key": ["a"]})
    before, after = split_window(old, asked), split_window(new, asked)
    champion, challenger = (train(each, make_best("random_forest", n_estimators=20), asked) for each in (before, after))
    decision = decide(challenger, champion, after, evaluate(challenger, after, asked), asked)
    fresh = window(**rows(10_000, seed=2))
    honest = evaluate(champion, replace(split_window(fresh, asked), learned=before.learned), asked).metrics["roc_auc"]
    assert decision.verdict == "promoted"
    assert (decision.learned_rows, decision.training_rows_known) == (0, True)
    assert decision.compared_rows == len(after.holdout.target)
    assert abs(decision.champion_value - honest) < 0.04
    assert f"{decision.compared_rows:,} holdout rows that neither has learned from" in decision.reason


def test_another_test_size_leaves_out_the_rows_that_the_champion_learned_from(duel):
    data = window(**rows(2_000))
    decision = duel(data, data, spec(split={"test_size": 0.1}), spec(split={"test_size": 0.5}))
    assert 120 < decision.compared_rows < 280
    assert 700 < decision.learned_rows < 900
    assert f"without {decision.learned_rows} that one may have learned from" in decision.reason
    assert decision.holdout_value != decision.challenger_value
    assert decision.value_at_promotion == decision.holdout_value


def test_too_few_rows_that_neither_learned_from_keep_the_champion_and_say_so(duel):
    data = window(**rows(400))
    asked = spec(split={"test_size": 0.5}, promotion={"min_rows": 30})
    decision = duel(data, data, spec(split={"test_size": 0.05}), asked)
    assert decision.verdict == "kept_champion"
    assert decision.compared_rows < 30
    assert decision.champion_value is None
    assert f"only {decision.compared_rows} holdout rows" in decision.reason
    assert "promotion.min_rows asks for 30" in decision.reason


def test_rows_of_partitions_in_the_champions_window_were_learned_from(duel):
    monthly = {"partitions": {"by": "month", "start": "2024-01"}}
    by_time = spec(dataset=monthly, split={"by": "time", "train_partitions": 1})
    at_random = spec(dataset=monthly)
    months = {f"2024-0{n}": window(**rows(300, seed=n))[""] for n in (1, 2, 3)}
    pick = lambda *keys: {key: months[key] for key in keys}  # noqa: E731
    same = duel(pick("2024-01", "2024-02"), pick("2024-01", "2024-02"), by_time, by_time)
    assert (same.compared_rows, same.learned_rows) == (300, 0)
    again = duel(pick("2024-01", "2024-02"), pick("2024-02"), by_time, at_random)
    assert again.learned_rows == 0
    learned = duel(pick("2024-01", "2024-02", "2024-03"), pick("2024-02"), by_time, at_random)
    assert learned.verdict == "kept_champion"  # of an older month anyway
    overlap = duel(pick("2024-02", "2024-03"), pick("2024-02", "2024-03"), by_time, at_random)
    assert 0 < overlap.learned_rows < 300
    assert overlap.learned_rows + overlap.compared_rows == len(
        split_window(pick("2024-02", "2024-03"), at_random).holdout.target
    )


def unrecorded(champion):
    """Return a model as an earlier version stored it."""
    return replace(champion, manifest=champion.manifest.model_copy(update={"learned": None}))


def test_a_champion_of_an_earlier_version_is_replaced_only_if_it_loses_in_spite_of_its_advantage(duel):
    asked = spec(split={"key": ["a"]})
    data = rows(2_000)
    weak = window(a=data["a"], y=data["y"])
    better = duel(weak, window(**data), asked, asked, change=unrecorded)
    assert (better.verdict, better.training_rows_known) == ("promoted", False)
    assert "of which the champion may have learned" in better.reason
    same = duel(window(**data), window(**data), asked, asked, change=unrecorded)
    assert same.verdict == "needs_approval"
    assert "which rows the champion has learned from is not known" in same.reason


def test_a_champion_of_an_earlier_version_is_compared_on_later_months_without_reserve(duel):
    monthly = {"partitions": {"by": "month", "start": "2024-01"}}
    at_random = spec(dataset=monthly, promotion={"minimum_effect": 0.05})
    months = [{f"2024-0{n}": window(**rows(600, seed=n))[""]} for n in (1, 2)]
    later = duel(*months, at_random, at_random, change=unrecorded)
    assert (later.verdict, later.training_rows_known, later.learned_rows) == ("kept_champion", True, 0)
    again = duel(months[0], months[0], at_random, at_random, change=unrecorded)
    assert (again.verdict, again.training_rows_known) == ("needs_approval", False)


def test_three_rows_of_an_unknown_class_do_not_promote_shuffled_labels(make_best):
    asked = spec("multiclass_classification", evaluation={"primary_metric": "f1_macro", "must_beat_baseline": False})
    data = rows(1_500, classes=("a", "b", "c"))
    champion = train(split_window(window(**data), asked), make_best("logistic_regression"), asked)
    strange = {name: np.append(values, rows(30, seed=5)[name]) for name, values in data.items()}
    strange["y"][-30:] = "d"
    after = split_window(window(**strange), asked)
    shuffled = after.train.target.sample(frac=1, random_state=0).reset_index(drop=True)
    poor = train(replace(after, train=replace(after.train, target=shuffled)), make_best("logistic_regression"), asked)
    decision = decide(poor, champion, after, evaluate(poor, after, asked), asked)
    assert decision.verdict == "kept_champion"
    assert decision.champion_value > decision.challenger_value + 0.2
    assert 0 < decision.unknown_class_rows == int((after.holdout.target == "d").sum())
    assert decision.compared_rows == len(after.holdout.target) - decision.unknown_class_rows
    assert f"without {decision.unknown_class_rows} of classes that the champion does not know" in decision.reason


def test_a_new_schema_version_with_another_class_asks_a_person_unless_the_challenger_is_better(duel):
    asked = spec("multiclass_classification", split={"key": ["a"]})
    two, further = rows(1_500), rows(100, seed=5)
    three = {name: np.append(values, further[name]) for name, values in two.items()}
    three["b"][-100:], three["y"][-100:] = 50, "maybe"
    decision = duel(window(**two), window(version=2, **three), asked, asked)
    assert decision.verdict == "needs_approval"
    assert "does not know the classes of the new schema version" in decision.reason
    assert decision.champion_value is not None
    weak = window(a=two["a"], y=two["y"])
    assert duel(weak, window(version=2, **three), asked, asked).verdict == "promoted"


def test_classes_that_have_nothing_in_common_ask_a_person_under_a_new_schema_version(duel):
    old, new = window(**rows(500)), window(version=2, **rows(500, classes=("nein", "ja")))
    decision = duel(old, new, spec(), spec())
    assert decision.verdict == "needs_approval"
    assert "knows other classes (no, yes)" in decision.reason
    assert decision.champion_value is None


def test_rows_whose_identity_cannot_be_found_again_count_as_unknown(duel):
    data = rows(1_000)
    gone = LearnedRows(columns=("account",), salt="p", holdout_share=0.2)
    change = lambda champion: replace(  # noqa: E731
        champion, manifest=champion.manifest.model_copy(update={"learned": (gone,)})
    )
    decision = duel(window(**data), window(**data), spec(), spec(), change=change)
    assert (decision.verdict, decision.training_rows_known) == ("needs_approval", False)


def test_a_challenger_whose_training_rows_are_unknown_waits_for_a_person(make_best):
    asked = spec(split={"key": ["a"]})
    split = split_window(window(**rows(800)), asked)
    challenger = unrecorded(train(split, make_best("logistic_regression"), asked))
    decision = decide(challenger, None, split, evaluate(challenger, split, asked), asked)
    assert decision.verdict == "needs_approval"
    assert "scenario: full records them" in decision.reason
