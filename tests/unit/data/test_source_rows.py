"""Rows of a source to rows of a partition, under the frozen schema."""

# ruff: noqa: DTZ001 - the bounds of partitions have no zone

import datetime as dt
import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data import source_rows as module
from assay.data.fingerprint import fingerprint
from assay.data.frozen_schema import FrozenColumn, FrozenSchema
from assay.data.source_rows import derive_columns, partition_span, rows_of_partition, source_rows
from assay.errors import DataContractError, EmptyDataError, MissingColumnError, SchemaDriftError
from assay.specs.dataset import ColumnRole, ColumnSpec, DatasetSpec, DerivedColumn, PartitionsSpec

BY_MONTH = PartitionsSpec(by="month", column="t", start="2023-12")


def spec_of(**parts):
    return DatasetSpec(**{"source": "x", "target": "y"} | parts)


def prepared(table, key=None, **parts):
    return source_rows(table, spec_of(**parts)).partition(key, where="demo/raw_dataset")


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


def test_an_empty_partition_is_refused_with_its_bounds_and_the_columns_span():
    table = pa.table({"t": MOMENTS, "y": [1, 2, 3, 4]})
    with pytest.raises(EmptyDataError, match="no rows in this partition") as caught:
        prepared(table, key="2024-03", partitions=BY_MONTH)
    assert caught.value.found == "'t' from 2023-12-31 23:59:59.999999 to 2024-02-01 00:00:00"
    assert caught.value.expected == "rows from 2024-03-01 00:00:00 up to 2024-04-01 00:00:00, UTC"


@pytest.mark.parametrize("values", [[1.5], ["1.12.2017"], ["10:00"]])
def test_a_partition_column_must_hold_moments(values):
    with pytest.raises(DataContractError, match="'t' is not a date or time") as caught:
        prepared(pa.table({"t": values, "y": [1]}), key="2024-01", partitions=BY_MONTH)
    assert "ISO 8601" in caught.value.expected


def test_a_missing_partition_column_is_named():
    with pytest.raises(MissingColumnError, match="no column 't'"):
        prepared(pa.table({"y": [1]}), key="2024-01", partitions=BY_MONTH)


def test_iso_texts_become_times_unless_another_role_is_declared():
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


class Version:
    """A schema version that counts how often it is asked."""

    def __init__(self, frozen=None):
        self.current, self.asked = frozen, 0

    def frozen(self):
        return self.current

    def freeze(self, first):
        self.asked += 1
        self.current = self.current or first
        return self.current


def frozen_of(**columns):
    pairs = [(name, kind if isinstance(kind, tuple) else (kind, "numeric")) for name, kind in columns.items()]
    found = tuple(FrozenColumn(name=name, dtype=dtype, role=ColumnRole(role)) for name, (dtype, role) in pairs)
    return FrozenSchema(version=1, columns=found)


def under(frozen, table, *, labelled=True, **parts):
    return source_rows(pa.table(table), spec_of(**parts), Version(frozen), frozen=frozen, labelled=labelled)


def test_rows_take_frozen_dtypes_and_roles_and_have_an_identity_of_their_own():
    frozen = frozen_of(a=("double", "categorical"), d="int64", y="int64")
    ignored = {"d": ColumnSpec(role=ColumnRole.IGNORED)}
    dataset = under(frozen, {"y": [1], "d": [1], "a": [2]}, columns=ignored).partition(None, where="")
    assert {c.name: (c.dtype, str(c.role)) for c in dataset.schema.columns} == {
        "a": ("double", "categorical"),
        "d": ("int64", "ignored"),
        "y": ("int64", "numeric"),
    }
    assert dataset.fingerprint == fingerprint(dataset.table)


def test_the_first_partition_freezes_the_schema_that_the_next_one_keeps():
    version = Version()
    moments = [dt.datetime(2024, 1, 1), dt.datetime(2024, 2, 1)]
    table = pa.table({"t": moments, "y": [1, 2], "a": [None, "x"]})
    rows = source_rows(table, spec_of(partitions=BY_MONTH), version)
    first = rows.partition("2024-01", where="")
    assert rows.partition("2024-02", where="").table.column_names == first.table.column_names
    assert version.asked == 1
    assert version.current.dtypes == {"t": "timestamp[us]", "y": "int64", "a": "string"}


def test_written_values_are_converted_and_rows_are_hashed_once(monkeypatch):
    calls = []
    for name in ("with_values_read", "fingerprint"):
        genuine = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *given, genuine=genuine, name=name: calls.append(name) or genuine(*given)
        )
    under(frozen_of(a="timestamp[us]", y="double"), {"a": ["2024-01-01"], "y": [1]}).partition(None, where="")
    assert calls == ["with_values_read", "fingerprint"]


def test_rows_without_labels_keep_the_frozen_dtypes_and_may_lack_columns_and_have_others():
    frozen = frozen_of(code=("string", "categorical"), size="double", gone="int64", y="int64")
    late = DerivedColumn(column="gone", at_least=1.0)
    rows = under(frozen, {"size": [1], "note": ["x"], "code": ["7.00"]}, labelled=False, derive={"y": late})
    dataset = rows.partition(None, where="")
    assert dataset.table.to_pydict() == {"code": ["7.00"], "size": [1.0], "note": ["x"]}
    assert dataset.schema["size"].dtype == "double"
    assert dataset.schema["code"].role is ColumnRole.CATEGORICAL
    with pytest.raises(SchemaDriftError, match="'code' changed its dtype"):
        under(frozen, {"size": [1.0], "code": [7.0]}, labelled=False).partition(None, where="")


def test_rows_without_labels_may_have_none_of_the_frozen_columns():
    """Names in upper case ended in an error of Arrow; the model says which column it lacks."""
    rows = under(frozen_of(size="double", y="int64"), {"SIZE": [1, 2]}, labelled=False)
    assert rows.partition(None, where="").table.to_pydict() == {"SIZE": [1, 2]}


def test_rows_without_labels_freeze_nothing():
    version = Version()
    source_rows(pa.table({"a": [1]}), spec_of(), version, labelled=False).partition(None, where="")
    assert version.asked == 0


def test_rows_without_labels_get_derived_features():
    old = DerivedColumn(column="age", at_least=60.0)
    dataset = under(None, {"age": [59, 60]}, labelled=False, derive={"old": old}).partition(None, where="")
    assert dataset.table["old"].to_pylist() == [False, True]
