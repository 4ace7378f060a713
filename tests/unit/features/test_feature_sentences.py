"""What the steps say of the rows that they drop, of earlier partitions and of the comparison in time."""

import datetime as dt
import json
from types import SimpleNamespace as Thing

import numpy as np
import pyarrow as pa
import pytest

from assay.errors import FeatureStepError
from assay.features import history as history_module
from assay.features import past, step_engine
from assay.features.checks import declared_column_errors
from assay.features.dropped_rows import StepCount, dropped_in_words, require_enough
from assay.features.feature_set import _rows_in_words
from assay.features.history import History, _some, notes_of
from assay.features.reach import Reach
from assay.specs.features import FeaturesSpec
from assay.specs.pipeline import PipelineSpec

DAYS = {"by": "day", "column": "t", "start": "2024-05-01"}
FILTER = {"filter": {"few": "n > 1"}}
WINDOW = {"aggregate": {"by": ["shop"], "time": "t", "over": "2 hours", "columns": {"n": "count(*)"}}}


@pytest.mark.parametrize(
    ("bound", "dropped", "rows", "found", "expected"),
    [
        (0.0, 1, 1, "1 of 1 row: 1 by few", "at most 0%, 0 of these rows"),
        (0.005, 6, 1001, "6 of 1,001 rows: 6 by few", "at most 0.5%, 5 of these rows"),
        (0.95, 9501, 10_000, "9,501 of 10,000 rows: 9,501 by few", "at most 95%, 9,500 of these rows"),
    ],
)
def test_more_rows_dropped_than_allowed(bound, dropped, rows, found, expected):
    features = FeaturesSpec.model_validate_json(json.dumps({"steps": [FILTER], "max_dropped": bound}))
    counts = [StepCount("filter (step 1)", "few", rows, dropped), StepCount("filter (step 1)", "none", rows, 0)]
    with pytest.raises(FeatureStepError) as caught:
        require_enough(features, counts, rows, "bank")
    assert (caught.value.found, caught.value.expected) == (found, expected)
    assert require_enough(features, [StepCount("filter (step 1)", "few", rows, dropped - 1)], rows, "bank") is None


def test_dropped_rows_by_step():
    counts = [StepCount("a", "few", 1200, 1), StepCount("a", "odd", 1199, 0), StepCount("b", "not: x > 1", 1199, 1000)]
    assert dropped_in_words(counts) == {"a": "1 of 1,200 (few), 0 of 1,199 (odd)", "b": "1,000 of 1,199 (not: x > 1)"}


def bank(*steps, partitioned=True):
    document = {
        "name": "bank", "task": "regression",
        "dataset": {"source": "rows.csv", "target": "y", **({"partitions": DAYS} if partitioned else {})},
        "features": {"steps": list(steps)},
    }  # fmt: skip
    return PipelineSpec.model_validate_json(json.dumps(document))


def rows_at(*hours):
    return pa.table({"t": pa.array([dt.datetime(2024, 5, 3, hour) for hour in hours], pa.timestamp("us"))})  # noqa: DTZ001


def earlier(count, **facts):
    return History(pa.table({"n": list(range(count))}), count, Reach(), **facts)


@pytest.mark.parametrize(
    ("history", "said"),
    [
        (earlier(0), "none is read"),
        (earlier(0, missing=("2024-05-02",)), "none is read; 1 missing: 2024-05-02"),
        (earlier(1, read=("2024-05-02",)), "1 row of 2024-05-02"),
        (
            earlier(2, read=("2024-05-01", "2024-05-02"), outside=1),
            "2 rows of 2024-05-01, 2024-05-02; 1 row has a time outside their partition, so that windows may miss such rows",
        ),
        (
            earlier(1000, read=("2024-05-02",), outside=2),
            "1,000 rows of 2024-05-02; 2 rows have a time outside their partition, so that windows may miss such rows",
        ),
    ],
)
def test_earlier_partitions(history, said):
    assert notes_of(history, rows_at(1), bank(FILTER)) == {"earlier partitions": said}


def test_without_partitions_nothing_is_said_of_earlier_ones():
    assert notes_of(earlier(3), rows_at(1), bank(FILTER, partitioned=False)) == {}


@pytest.mark.parametrize(
    ("hours", "alone", "since"),
    [
        ((1,), "1 of 1 row is less than 2 hours after its first", "1 of 1 row looks back to before"),
        ((1, 9), "1 of 2 rows is less than 2 hours after its first", "1 of 2 rows looks back to before"),
        ((1, 1, 9), "2 of 3 rows are less than 2 hours after its first", "2 of 3 rows look back to before"),
    ],
)
def test_windows_that_see_fewer_rows(hours, alone, since):
    rows, spec = rows_at(*hours), bank(WINDOW)
    (said,) = notes_of(None, rows, spec).values()
    assert said == f"it sees the rows of this partition alone: {alone}"
    history = earlier(1, read=("2024-05-02",), since=dt.datetime(2024, 5, 3))  # noqa: DTZ001
    notes = notes_of(history, rows, spec)
    assert notes["window of aggregate (step 1)"] == f"{since} 2024-05-03 00:00:00, where no rows are"
    complete = notes_of(earlier(1, read=("2024-05-02",), since=dt.datetime(2024, 5, 2)), rows, spec)  # noqa: DTZ001
    assert list(complete) == ["earlier partitions"]


def test_many_missing_partitions_are_cut():
    keys = [f"2024-05-{day:02}" for day in range(1, 31)]
    shown = history_module._SHOWN
    assert (_some(keys[:shown]), _some(keys)) == (", ".join(keys[:shown]), ", ".join(keys[:shown]) + " ...")


@pytest.mark.parametrize(
    ("cuts", "keeps", "said"),
    [
        (0, True, "not compared: there are too few rows"),
        (0, False, "not compared: there are too few rows"),
        (1, True, "every row came out the same among all rows and among half 0"),
        (2, True, "every row came out the same among all rows and among half 0; half 1"),
        (2, False, "every group of the same rows came out the same among all rows and among half 0; half 1"),
    ],
)
def test_what_is_known_in_time(cuts, keeps, said):
    made = past.Cut(np.array([True]), "half")
    texts = [past.Cut(made.rows, f"half {number}") for number in range(cuts)]
    assert past._same_among(texts, keeps_rows=keeps) == said


def test_columns_that_nothing_has():
    spec = Thing(features=Thing(time="tme"), dataset=Thing(columns={"age": 1, "agee": 1}))
    source, features = Thing(dtypes={"time": "x", "age": "x"}), Thing(dtypes={"age": "x", "ratio": "x"})
    said = [str(error) for _, error in declared_column_errors(spec, source, features)]
    assert said[0].startswith("[spec_invalid] the source has no column 'tme'; did you mean 'time'?")
    assert said[1].startswith(
        "[spec_invalid] neither the source nor the feature set has a column 'agee'; did you mean 'age'?"
    )
    assert "expected: one of time, age, ratio" in said[1].replace("\n", " ")


@pytest.mark.parametrize(
    ("row", "said"),
    [(0, "the rows of earlier partitions (d1, d2)"), (5, "the source's rows"), (None, "the source's rows")],
)
def test_where_a_row_that_fails_is_from(row, said):
    engine = Thing(history=earlier(3, read=("d1", "d2")), source=rows_at(1))
    failure = step_engine.Failure(0, "x", row, "division by zero")
    found, text, _ = step_engine.StepEngine._in_origin(engine, failure)
    assert (found.row, text) == (row - 3 if row == 5 else row, said)


@pytest.mark.parametrize(
    ("made", "source", "said"),
    [
        (0, 1, "0 rows, made from 1 row of the source"),
        (1, 1200, "1 row, made from 1,200 rows of the source"),
        (1200, 1200, "1,200 rows, made from 1,200 rows of the source"),
    ],
)
def test_rows_of_the_feature_set(made, source, said):
    assert _rows_in_words(made, source) == said
