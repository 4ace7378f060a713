"""Rows of a file to rows of a partition."""

# ruff: noqa: DTZ001 - the bounds of partitions have no zone

import datetime as dt
import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.fingerprint import fingerprint
from assay.data.preparation import derive_columns, partition_span, prepare, rows_of_partition
from assay.errors import DataContractError, EmptyDataError, MissingColumnError
from assay.specs.dataset import ColumnRole, ColumnSpec, DatasetSpec, DerivedColumn, PartitionsSpec

BY_MONTH = PartitionsSpec(by="month", column="t", start="2023-12")


def spec_of(**parts):
    return DatasetSpec(**{"source": "x", "target": "y"} | parts)


def prepared(table, key=None, **parts):
    return prepare(table, spec_of(**parts), partition_key=key, where="demo/raw_dataset")


def derived(values, **comparison):
    table = pa.table({"a": values})
    return derive_columns(table, spec_of(derive={"d": DerivedColumn(column="a", **comparison)}))["d"].to_pylist()


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        ({"greater_than": 15.0}, [False, False, True, None]),
        ({"at_least": 15.0}, [False, True, True, None]),
        ({"less_than": 15.0}, [True, False, False, None]),
        ({"at_most": 15.0}, [True, True, False, None]),
        ({"one_of": (15, 16)}, [False, True, True, None]),
    ],
)
def test_comparisons_keep_missing_values_missing(comparison, expected):
    assert derived([14, 15, 16, None], **comparison) == expected
    assert derived([14.0, 15.0, 16.0, math.nan], **comparison) == expected


def test_texts_are_compared_however_they_are_laid_out():
    texts = pa.array(["a", "b", None])
    assert derived(texts, one_of=("a", "z")) == [True, False, None]
    assert derived(texts.dictionary_encode(), one_of=("a", "z")) == [True, False, None]


@pytest.mark.parametrize(
    ("values", "comparison"), [(["a"], {"at_least": 1.0}), ([1], {"one_of": ("a",)}), ([1], {"one_of": (1, "a")})]
)
def test_values_that_cannot_be_compared_are_refused(values, comparison):
    with pytest.raises(DataContractError, match="'a' cannot be compared") as caught:
        derived(values, **comparison)
    assert caught.value.where == "dataset.derive.d"


def test_derived_names_must_be_new_and_their_columns_exist():
    with pytest.raises(DataContractError, match="'y' exists already"):
        prepared(pa.table({"y": [1]}), derive={"y": DerivedColumn(column="y", at_least=1.0)})
    with pytest.raises(MissingColumnError, match="did you mean 'delay'"):
        prepared(pa.table({"delay": [1]}), target="late", derive={"late": DerivedColumn(column="dely", at_least=1.0)})


def test_a_derived_column_may_be_the_target():
    late = DerivedColumn(column="delay", greater_than=15.0)
    dataset = prepared(pa.table({"delay": [1, 20]}), target="late", derive={"late": late})
    assert dataset.table["late"].to_pylist() == [False, True]
    assert dataset.schema["late"].role is ColumnRole.BOOLEAN
    assert dataset.notes == {"rows": "2 of the 2 rows read", "derived columns": "late"}
    assert dataset.fingerprint == fingerprint(dataset.table)


MOMENTS = [dt.datetime(2023, 12, 31, 23, 59, 59, 999999), dt.datetime(2024, 1, 1), dt.datetime(2024, 2, 1), None]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_a_month_holds_its_first_moment_and_not_the_next_months(unit, zone):
    moments = pa.array(MOMENTS, pa.timestamp("us")).cast(pa.timestamp(unit, zone), safe=False)
    dataset = prepared(pa.table({"t": moments, "y": [0, 1, 2, 3]}), key="2024-01", partitions=BY_MONTH)
    assert dataset.table["y"].to_pylist() == [1]
    assert dataset.notes == {"rows": "1 of the 4 rows read", "rows in no partition": "1 without 't'"}


@given(st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2030, 1, 1)), st.sampled_from(["hour", "day", "month"]))
def test_the_partition_of_a_moment_holds_it(moment, cadence):
    partitions = PartitionsSpec(
        by=cadence,
        column="t",
        start=dt.datetime(2020, 1, 1).strftime(PartitionsSpec.model_construct(by=cadence).key_format),
    )
    key = moment.strftime(partitions.key_format)
    start, end = partition_span(partitions, key)
    assert start <= moment < end
    assert rows_of_partition(pa.table({"t": [moment]}), partitions, key, where="").num_rows == 1


@pytest.mark.parametrize(
    ("by", "key", "end"),
    [
        ("hour", "2024-12-31-23:00", "2025-01-01 00:00:00"),
        ("day", "2024-02-29", "2024-03-01 00:00:00"),
        ("week", "2024-12-29", "2025-01-05 00:00:00"),
        ("month", "2024-12", "2025-01-01 00:00:00"),
    ],
)
def test_a_partition_ends_where_the_next_begins(by, key, end):
    assert str(partition_span(PartitionsSpec(by=by, start=key), key)[1]) == end


def test_a_week_begins_on_its_keys_date():
    week = PartitionsSpec(by="week", column="t", start="2024-01-07")
    assert partition_span(week, "2024-01-07") == (dt.datetime(2024, 1, 7), dt.datetime(2024, 1, 14))


def test_dates_and_iso_texts_place_rows_too():
    days = [dt.date(2024, 1, 31), dt.date(2024, 2, 1)]
    for column in (pa.array(days), pa.array([f"{day}T10:00:00" for day in days]), pa.array([str(day) for day in days])):
        dataset = prepared(pa.table({"t": column, "y": [1, 2]}), key="2024-02", partitions=BY_MONTH)
        assert dataset.table["y"].to_pylist() == [2]


def test_an_empty_partition_tells_its_bounds_and_what_the_column_covers():
    table = pa.table({"t": MOMENTS, "y": [1, 2, 3, 4]})
    with pytest.raises(EmptyDataError, match="no rows in this partition") as caught:
        prepared(table, key="2024-03", partitions=BY_MONTH)
    assert caught.value.found == "'t' from 2023-12-31 23:59:59.999999 to 2024-02-01 00:00:00"
    assert caught.value.expected == "rows from 2024-03-01 00:00:00 up to 2024-04-01 00:00:00"


@pytest.mark.parametrize("values", [[1.5], ["1.12.2017"], ["10:00"]])
def test_a_partition_column_must_hold_moments(values):
    with pytest.raises(DataContractError, match="'t' is no date or time") as caught:
        prepared(pa.table({"t": values, "y": [1]}), key="2024-01", partitions=BY_MONTH)
    assert "ISO 8601" in caught.value.expected


def test_a_missing_partition_column_is_named():
    with pytest.raises(MissingColumnError, match="no column 't'"):
        prepared(pa.table({"y": [1]}), key="2024-01", partitions=BY_MONTH)


def test_iso_texts_become_times_unless_they_are_told_to_be_something_else():
    texts = pa.array(["2024-01-31T10:00:00+02:00", None])
    table = pa.table({"a": texts, "b": texts, "y": texts, "c": ["2024-01-31", "soon"]})
    schema = prepared(table, columns={"b": ColumnSpec(role=ColumnRole.CATEGORICAL)}).schema
    assert [column.dtype for column in schema.columns] == ["timestamp[us, tz=UTC]", "string", "string", "string"]
    assert schema["a"].role is ColumnRole.DATETIME


def test_declared_datetimes_must_be_iso():
    with pytest.raises(DataContractError, match="declared as datetime, but holds other text"):
        prepared(pa.table({"a": ["1.12.2017"], "y": [1]}), columns={"a": ColumnSpec(role=ColumnRole.DATETIME)})


def test_more_rows_than_allowed_are_refused():
    assert prepared(pa.table({"y": [1, 2]}), max_rows=2).table.num_rows == 2
    with pytest.raises(DataContractError, match=r"dataset\.max_rows") as caught:
        prepared(pa.table({"y": [1, 2, 3]}), max_rows=2)
    assert (caught.value.found, caught.value.expected) == ("3 rows", "at most 2")
