"""The champion's performance is measured on rows that it has not learned from."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from assay.data.schema import ColumnSchema, TableSchema
from assay.learning.splitting import labelled_rows
from assay.learning.training import train
from assay.monitoring.performance import evaluate_performance
from assay.monitoring.reference import KnownRows, MonitoredWindow, Reference
from assay.promotion.champion import ChampionEntry, CurrentChampion
from assay.results.learned_rows import LearnedRows
from assay.results.trained_model import Refit
from assay.specs.dataset import ColumnRole

MONITORED = {"monitoring": {"performance": {"max_loss": 0.02}}}


def rows(count, seed, share_of_noise=0.2):
    """Rows that a forest learns by heart: their labels are partly noise."""
    random = np.random.default_rng(seed)
    a, b = random.normal(size=count), random.normal(size=count)
    labels = (a > 0) ^ (random.random(count) < share_of_noise)
    return pa.table({"a": a, "b": b, "y": np.where(labels, "yes", "no").astype(object)})


SCHEMA = TableSchema(
    version=1, columns=tuple(ColumnSchema(name=n, dtype="double", role=ColumnRole.NUMERIC) for n in ("a", "b"))
)


@pytest.fixture
def spec(make_spec):
    return make_spec(**MONITORED)


@pytest.fixture
def champion_of(make_split, make_best, spec):
    """Return a function that trains a champion on the rows that a rule lets it learn from."""

    def champion(training, rule, change=None):
        kept = training.filter(pa.array(rule.of(training, np.full(len(training), "", dtype=object))))
        split = replace(make_split(), train=labelled_rows(kept, SCHEMA, spec), features=SCHEMA, learned=rule)
        model = train(split, make_best("random_forest"), spec)
        if change:
            model = replace(model, manifest=model.manifest.model_copy(update=change))
        entry = ChampionEntry(
            number=1, event="promoted", registered_name="demo", version="1", digest="d",
            value_at_promotion=0.80, created_at=dt.datetime.now(dt.UTC),
        )  # fmt: skip
        return CurrentChampion(model, entry)

    return champion


@pytest.fixture
def watch(champion_of, spec):
    """Return a function that reports on a table, as `performance_report` does, under a champion of other rows."""

    def report(training, table, rule, change=None):
        champion = champion_of(training, rule, change)
        unlearned = champion.unlearned(table, None, spec)
        window = MonitoredWindow(
            "",
            labelled_rows(table, SCHEMA, spec).features,
            labelled=KnownRows.of(table, "", champion, spec),
            unlearned=None if unlearned is None else KnownRows.of(unlearned, "", champion, spec),
        )
        return evaluate_performance(window, Reference.of(champion, {"": training}, spec), [], spec)

    return report


RULE = LearnedRows(columns=("a", "b"), salt="demo", holdout_share=0.3)


def test_a_grown_table_shows_no_optimistic_value(watch):
    before = rows(1_500, seed=1)
    grown = pa.concat_tables([before, rows(150, seed=2)])
    report = watch(before, grown, RULE)
    assert report.rows + report.learned_rows == 1_650
    assert abs(report.rows / 1_650 - 0.3) < 0.05
    assert abs(report.value_now - 0.8) < 0.05  # of all rows it would be about 0.93


def test_a_champion_is_degraded_although_most_rows_of_the_window_are_its_training_rows(watch):
    before = rows(1_500, seed=1)
    spoilt = pa.concat_tables([before, rows(1_500, seed=2, share_of_noise=0.5)])
    report = watch(before, spoilt, RULE)
    assert report.degraded
    assert report.loss > 0.05


@pytest.mark.parametrize(
    ("rule", "change", "reason"),
    [
        (LearnedRows(partitions=("",)), {}, "every row of this window"),
        (RULE, {"learned": None}, "not known"),
        (RULE, {"learned": (LearnedRows(columns=("gone",), salt="demo", holdout_share=0.3),)}, "not known"),
    ],
)
def test_without_a_row_that_is_surely_new_there_is_no_value_and_no_verdict(watch, rule, change, reason):
    table = rows(300, seed=1)
    report = watch(table, table, rule, change=change)
    assert (report.rows, report.value_now, report.loss, report.degraded) == (0, None, None, False)
    assert reason in report.reason
    assert report.learned_rows == (None if reason == "not known" else 300)


def test_rows_that_the_deployed_model_has_learned_are_measured_by_the_evaluated_fit(champion_of, spec):
    table = rows(1_500, seed=1)
    champion, deployed = champion_of(table, RULE), champion_of(table, LearnedRows())

    def refitted(learned):
        manifest = champion.model.manifest.model_copy(update={"refit": Refit(rows=1_500, learned=(learned,))})
        evaluated = champion.model.estimator
        model = replace(
            champion.model, estimator=deployed.model.estimator, manifest=manifest, evaluated_fit=lambda: evaluated
        )
        return replace(champion, model=model)

    def value(known, partition):
        unlearned = known.unlearned(table, partition, spec)
        window = MonitoredWindow(
            partition,
            labelled_rows(table, SCHEMA, spec).features,
            labelled=KnownRows.of(table, partition, known, spec),
            unlearned=KnownRows.of(unlearned, partition, known, spec),
        )
        reference = Reference.of(known, {"": table}, spec)
        return evaluate_performance(window, reference, [], spec).value_now, reference.holdout_scored

    now, holdout = value(refitted(LearnedRows()), "")
    assert abs(now - 0.8) < 0.05  # the deployed model, which has learned from these rows, is right in all of them
    assert holdout.predictions.labels.tolist() == value(champion, "")[1].predictions.labels.tolist()
    assert value(refitted(LearnedRows(partitions=("before",))), "new")[0] > 0.95


@pytest.mark.parametrize(("change", "train", "holdout"), [({}, 215, 85), ({"learned": None}, 300, None)])
def test_the_champions_own_rows_follow_from_the_rule_in_its_manifest(champion_of, spec, change, train, holdout):
    """Not from the split that the pipeline file asks for today."""
    champion = champion_of(rows(300, seed=1), RULE, change)
    known = Reference.of(champion, {"": rows(300, seed=1)}, spec)
    assert len(known.train.target) == train
    assert (known.holdout and len(known.holdout.target)) == holdout
