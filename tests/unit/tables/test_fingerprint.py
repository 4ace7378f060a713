"""The identity of a table."""

import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import DigestMismatchError
from assay.tables.fingerprint import fingerprint, verify_columns

rows = st.lists(
    st.fixed_dictionaries(
        {
            "i": st.none() | st.integers(-(2**63), 2**63 - 1),
            "f": st.none() | st.floats(),
            "s": st.none() | st.text(max_size=5),
            "b": st.none() | st.booleans(),
            "t": st.none() | st.datetimes(),
        }
    ),
    min_size=1,
    max_size=30,
)
SCHEMA = pa.schema(
    [("i", pa.int64()), ("f", pa.float64()), ("s", pa.string()), ("b", pa.bool_()), ("t", pa.timestamp("us"))]
)


def table_of(records):
    return pa.Table.from_pylist(records, schema=SCHEMA)


@given(rows, st.integers(0, 30))
def test_chunking_does_not_matter(records, cut):
    table = table_of(records)
    cut = min(cut, len(records))
    pieces = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    assert fingerprint(pieces) == fingerprint(table)


@given(rows)
def test_a_slice_equals_a_copy(records):
    table = table_of([records[0], *records])
    assert fingerprint(table.slice(1)) == fingerprint(table_of(records))


def told_apart(left, right) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        both_nan = math.isnan(left) and math.isnan(right)
        return not both_nan and (left != right or math.copysign(1, left) != math.copysign(1, right))
    return left != right


@given(rows, st.data())
def test_changing_any_cell_changes_it(records, data):
    position = data.draw(st.integers(0, len(records) - 1))
    column = data.draw(st.sampled_from(SCHEMA.names))
    other = data.draw(rows)[0][column]
    changed = [dict(record) for record in records]
    changed[position][column] = other
    same = fingerprint(table_of(changed)) == fingerprint(table_of(records))
    assert same == (not told_apart(records[position][column], other))


def test_order_names_and_dtypes_matter():
    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    assert fingerprint(table.take([1, 0])) != fingerprint(table)
    assert fingerprint(table.select(["b", "a"])).digest != fingerprint(table).digest
    assert fingerprint(table.rename_columns(["a", "c"])) != fingerprint(table)
    assert fingerprint(table.set_column(0, "a", table["a"].cast("int32"))) != fingerprint(table)


def test_null_empty_text_and_nan_differ():
    assert fingerprint(pa.table({"s": [None, "a"]})) != fingerprint(pa.table({"s": ["", "a"]}))
    assert fingerprint(pa.table({"f": [None, 1.0]})) != fingerprint(pa.table({"f": [math.nan, 1.0]}))


def test_text_may_not_move_between_rows():
    assert fingerprint(pa.table({"s": ["ab", "c"]})) != fingerprint(pa.table({"s": ["a", "bc"]}))


def test_encodings_of_text_are_one_type():
    plain = pa.table({"s": ["a", None, "b", "a"]})
    encoded = pa.table({"s": plain["s"].dictionary_encode()})
    large = pa.table({"s": plain["s"].cast(pa.large_string())})
    assert fingerprint(plain) == fingerprint(encoded) == fingerprint(large)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, None], pa.date32()),
        pa.array([1, 2], pa.time64("us")),
        pa.array([[1], [2, 3]]),
        pa.array([None, None]),
        pa.array([b"a", b"b"]),
        pa.array([], pa.float32()),
    ],
)
def test_every_type_has_one(values):
    assert len(fingerprint(pa.table({"x": values})).digest) == 64


def test_a_changed_column_of_a_projection_is_named():
    whole = fingerprint(pa.table({"a": [1, 2], "b": [3, 4]}))
    verify_columns(pa.table({"b": [3, 4]}), whole, where="here")
    with pytest.raises(DigestMismatchError, match="not those that were published") as caught:
        verify_columns(pa.table({"b": [3, 5]}), whole, where="here")
    assert caught.value.where == "here, column b"
    with pytest.raises(DigestMismatchError):
        verify_columns(pa.table({"b": [3]}), whole, where="here")
