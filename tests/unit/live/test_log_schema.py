"""Rows of the prediction log: joined over versions, and without repetitions."""

import pyarrow as pa
from log_rows import log_of, row

from assay.serving.prediction_log import (
    ARM,
    LABEL,
    LOG_SCHEMA,
    REQUEST_ID,
    ROW,
    classes_of,
    joined,
    sent_columns,
    without_repetitions,
)


def test_each_prediction_counts_once_and_the_earliest_stays():
    table = log_of(
        row("b", minutes=5, **{LABEL: "later"}),
        row("a"),
        row("b", **{LABEL: "first"}),
        row("a", 2),
        row("a", arm="challenger"),
    )
    kept, repeated = without_repetitions(table)
    assert repeated == 1
    assert [(each[REQUEST_ID], each[ROW], each[ARM]) for each in kept.to_pylist()] == [
        ("a", 1, "challenger"), ("a", 1, "champion"), ("a", 2, "champion"), ("b", 1, "champion"),
    ]  # fmt: skip
    assert kept.column(LABEL).to_pylist()[-1] == "first"
    assert without_repetitions(kept)[0].equals(kept)


def test_logs_of_versions_with_other_columns_are_joined():
    first = log_of(row()).append_column("size", pa.array([50])).append_column("log_probability_no", pa.array([0.5]))
    second = log_of(row("b")).append_column("size", pa.array(["large"])).append_column("area", pa.array(["north"]))
    table = joined([first, second, log_of(row("c"))])
    assert table.column("size").to_pylist() == ["50", "large", None]
    assert sent_columns(table) == ["size", "area"]
    assert classes_of(table) == ["no"]


def test_a_log_without_objects_has_no_rows():
    assert joined([]).schema == LOG_SCHEMA
    assert without_repetitions(joined([]))[1] == 0
