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
from assay.specs.dataset import ColumnRole

MONITORED = {"monitoring": {"performance": {"max_loss": 0.02}}}


def rows(count, seed, share_of_noise=0.2):
    """Rows that a forest learns by heart: their labels are partly noise."""
    random = np.random.default_rng(seed)
    a, b = random.normal(size=count), random.normal(size=count)
    labels = (a > 0) ^ (random.random(count) < share_of_noise)
    return pa.table({"a": a, "b": b, "y": np.where(labels, "yes", "no").astype(object)})


@pytest.fixture
def watch(make_spec, make_split, make_best):
    """Return a function that reports on a table, as `performance_report` does, under a champion of other rows."""
    schema = TableSchema(
        version=1, columns=tuple(ColumnSchema(name=n, dtype="double", role=ColumnRole.NUMERIC) for n in ("a", "b"))
    )

    def report(training, table, rule, spec=None, change=None):
        spec = spec or make_spec(**MONITORED)
        kept = training.filter(pa.array(rule.of(training, np.full(len(training), "", dtype=object))))
        split = replace(make_split(), train=labelled_rows(kept, schema, spec), features=schema, learned=rule)
        model = train(split, make_best("random_forest"), spec)
        if change:
            model = replace(model, manifest=model.manifest.model_copy(update=change))
        entry = ChampionEntry(
            number=1, event="promoted", registered_name="demo", version="1", digest="d",
            value_at_promotion=0.80, created_at=dt.datetime.now(dt.UTC),
        )  # fmt: skip
        champion = CurrentChampion(model, entry)
        unlearned = champion.unlearned(table, None, spec)
        window = MonitoredWindow(
            "",
            labelled_rows(table, schema, spec).features,
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
