"""The identity of a table."""

import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.fingerprint import fingerprint, verify_columns
from assay.errors import DigestMismatchError

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


def are_different(left, right) -> bool:
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
    assert same == (not are_different(records[position][column], other))


def test_order_names_and_dtypes_matter():
    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    assert fingerprint(table.take([1, 0])) != fingerprint(table)
    assert fingerprint(table.select(["b", "a"])).digest != fingerprint(table).digest
    assert fingerprint(table.rename_columns(["a", "c"])) != fingerprint(table)
    assert fingerprint(table.set_column(0, "a", table["a"].cast("int32"))) != fingerprint(table)


def test_null_empty_text_and_nan_differ():
    assert fingerprint(pa.table({"s": [None, "a"]})) != fingerprint(pa.table({"s": ["", "a"]}))
    assert fingerprint(pa.table({"f": [None, 1.0]})) != fingerprint(pa.table({"f": [math.nan, 1.0]}))


def test_values_hidden_under_nulls_do_not_matter():
    valid = pa.array([True, False]).buffers()[1]
    hidden = [pa.Array.from_buffers(pa.int64(), 2, [valid, pa.py_buffer(np.array([1, x]))]) for x in (7, 9)]
    assert fingerprint(pa.table({"i": hidden[0]})) == fingerprint(pa.table({"i": hidden[1]}))


def test_every_nan_is_the_same_and_zeros_have_a_sign():
    odd = np.array([0x7FF8000000000001, 0xFFF8000000000000], np.uint64).view(np.float64)
    assert fingerprint(pa.table({"f": odd})) == fingerprint(pa.table({"f": [math.nan, math.nan]}))
    assert fingerprint(pa.table({"f": [0.0]})) != fingerprint(pa.table({"f": [-0.0]}))


def test_the_zone_of_a_time_matters():
    oslo, utc = (pa.table({"t": pa.array([0], pa.timestamp("us", zone))}) for zone in ("Europe/Oslo", "UTC"))
    assert fingerprint(oslo) != fingerprint(utc)


def test_a_column_of_more_rows_than_a_block_has_one_whatever_its_chunks():
    table = pa.table({"i": np.arange(70_000), "s": pa.array(np.arange(70_000)).cast(pa.string())})
    pieces = pa.concat_tables([table.slice(start, 9_999) for start in range(0, 70_000, 9_999)])
    assert fingerprint(pieces) == fingerprint(table)


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
        pa.array([b"ab", None], pa.binary(2)),
        pa.array([Decimal("1.10"), None]),
        pa.array([np.float16(1), None]),
        pa.array([{"a": 1}, None]),
        pa.array([1, None], pa.duration("ns")),
        pa.array([1, None, 2]).dictionary_encode(),
        pa.array([], pa.float32()),
    ],
)
def test_every_type_has_one_that_depends_on_its_values(values):
    table = pa.table({"x": values})
    mark = fingerprint(table)
    assert len(mark.digest) == 64
    assert fingerprint(pa.concat_tables([table.slice(0, 1), table.slice(1)])) == mark
    if values.null_count < len(values):
        assert fingerprint(table.take(list(range(len(values)))[::-1])) != mark


def test_a_changed_column_of_a_projection_is_named():
    whole = fingerprint(pa.table({"a": [1, 2], "b": [3, 4]}))
    verify_columns(pa.table({"b": [3, 4]}), whole, where="here")
    with pytest.raises(DigestMismatchError, match="not those that were published") as caught:
        verify_columns(pa.table({"b": [3, 5]}), whole, where="here")
    assert caught.value.where == "here, column b"
    with pytest.raises(DigestMismatchError):
        verify_columns(pa.table({"b": [3]}), whole, where="here")


def test_large_numbers_beside_nulls_keep_every_digit():
    assert fingerprint(pa.table({"i": [None, 2**53]})) != fingerprint(pa.table({"i": [None, 2**53 + 1]}))


def test_fingerprints_stay_what_stored_data_was_published_with():
    table = pa.table(
        {
            "number": pa.array([1.5, None, float("nan"), -0.0]),
            "count": pa.array([1, 2, None, 4]),
            "text": pa.array(["a", None, "é", ""]).dictionary_encode(),
            "flag": pa.array([True, None, False, True]),
            "moment": pa.array([0, 1, 2, None], pa.timestamp("us", "UTC")),
        }
    )

    assert fingerprint(table).digest == "97aab0fdd74185ad0c7630c88e0ed443d4e0bb1a607131d2b463b67d2de71c56"


def test_one_table_is_hashed_once_and_an_equal_one_again(monkeypatch):
    table, equal = pa.table({"x": [1, 2]}), pa.table({"x": [1, 2]})
    first = fingerprint(table)
    monkeypatch.setattr("assay.data.fingerprint._column_digest", lambda _: "hashed again")

    assert fingerprint(table) is first
    assert fingerprint(equal).columns == {"x": "hashed again"}


def test_what_is_known_of_a_table_ends_with_it():
    from assay.data import fingerprint as module

    table = pa.table({"x": [1, 2]})
    fingerprint(table)
    known = len(module._KNOWN)
    del table

    assert len(module._KNOWN) == known - 1
