"""Later data under a frozen schema."""

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.contract import arrow_type, conform
from assay.data.schema import ColumnSchema, TableSchema, dtype_name, inferred_role
from assay.errors import SchemaDriftError
from assay.specs.dataset import ColumnRole


def frozen_of(**columns):
    """Freeze columns by dtype name, or by dtype name and role."""
    pairs = {name: kind if isinstance(kind, tuple) else (kind, "ignored") for name, kind in columns.items()}
    schemas = [ColumnSchema(name=n, dtype=dtype, role=ColumnRole(role)) for n, (dtype, role) in pairs.items()]
    return TableSchema(version=1, columns=tuple(schemas))


def conformed(values, dtype):
    return conform(pa.table({"a": values}), frozen_of(a=dtype), where="here")["a"]


TYPES = [
    pa.int8(),
    pa.int32(),
    pa.int64(),
    pa.uint8(),
    pa.float32(),
    pa.float64(),
    pa.string(),
    pa.large_string(),
    pa.bool_(),
    pa.date32(),
    pa.timestamp("us"),
    pa.timestamp("ns"),
    pa.timestamp("us", "UTC"),
    pa.decimal128(5, 2),
]
numbers = st.none() | st.integers(-300, 300) | st.sampled_from([0.5, 3.0, 2.0**53 + 2, float(2**60)])


@given(st.lists(numbers, min_size=1), st.sampled_from(TYPES), st.sampled_from(TYPES))
def test_a_conformed_column_has_the_frozen_dtype_and_equal_values(values, kind, frozen):
    try:
        column = pa.array(values, pa.float64()).cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return
    try:
        result = conformed(column, dtype_name(frozen))
    except SchemaDriftError:
        assert dtype_name(kind) != dtype_name(frozen)
        assert column.null_count < len(column)
        return
    assert dtype_name(result.type) == dtype_name(frozen)
    assert [None if v is None else v for v in result.to_pylist()] == column.to_pylist()


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (pa.array([1, None, -(2**53)]), "double"),
        (pa.array([1.0, None, 3.0]), "int64"),
        (pa.array([1, 2], pa.int32()), "int64"),
        (pa.array(["a"], pa.large_string()), "string"),
        (pa.array(["a"]).dictionary_encode(), "string"),
        (pa.nulls(2), "decimal128(5, 2)"),
        (pa.nulls(2, pa.string()), "timestamp[us]"),
        (pa.array([dt.date(2024, 1, 1)]), "timestamp[us]"),
        (pa.array([1], pa.timestamp("us")), "timestamp[ns]"),
        (pa.array([0.5, float("nan")]), "float"),
    ],
)
def test_lossless_differences_are_converted(values, dtype):
    result = conformed(values, dtype)
    assert dtype_name(result.type) == dtype
    assert result.null_count == values.null_count


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([3.7], "int64"),
        ([float("nan")], "int64"),
        ([2**53 + 1], "double"),
        ([300], "int8"),
        ([0.1], "float"),
        (["1"], "int64"),
        ([1], "string"),
        ([True], "int64"),
        ([1], "bool"),
        (pa.array([1], pa.timestamp("us")), "date32[day]"),
        (pa.array([1], pa.timestamp("us")), "timestamp[us, tz=UTC]"),
        (pa.array([1], pa.timestamp("us", "UTC")), "timestamp[us]"),
        ([1], "something odd"),
    ],
)
def test_any_loss_is_drift(values, dtype):
    with pytest.raises(SchemaDriftError, match="'a' changed its dtype since the schema was frozen") as caught:
        conformed(values, dtype)
    assert caught.value.expected == f"{dtype}, as frozen"
    assert caught.value.where == "here"
    assert "dataset.schema_version" in caught.value.remedy


def test_columns_come_in_the_frozen_order():
    table = pa.table({"b": [1], "a": [2]})
    assert conform(table, frozen_of(a="int64", b="int64"), where="").column_names == ["a", "b"]


def test_a_missing_column_is_drift():
    with pytest.raises(SchemaDriftError, match="'price' is missing; did you mean 'prices'"):
        conform(pa.table({"prices": pa.nulls(1)}), frozen_of(price="int64"), where="")


def test_a_new_column_is_drift_unless_it_holds_nothing():
    table = pa.table({"a": [1], "b": pa.nulls(1, pa.string())})
    assert conform(table, frozen_of(a="int64"), where="").column_names == ["a"]
    with pytest.raises(SchemaDriftError, match="'b' is new") as caught:
        conform(pa.table({"a": [1], "b": ["x"]}), frozen_of(a="int64"), where="")
    assert caught.value.found == "dtype string"


def test_a_column_that_was_empty_at_first_takes_a_dtype_that_fits_its_role():
    frozen = frozen_of(fee=("null", inferred_role(pa.chunked_array([pa.nulls(1)]))))
    assert conform(pa.table({"fee": [1.5]}), frozen, where="")["fee"].type == pa.float64()
    with pytest.raises(SchemaDriftError, match="'fee' changed"):
        conform(pa.table({"fee": ["x"]}), frozen, where="")


@pytest.mark.parametrize("kind", [*TYPES, pa.time32("ms"), pa.time64("us"), pa.duration("us"), pa.binary(), pa.null()])
def test_dtype_names_name_their_types(kind):
    assert dtype_name(arrow_type(dtype_name(kind))) == dtype_name(kind)
