import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from assay.gate.sentinel.repeats import column_hash, repeats

VALUES = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-3, 3))),
    st.lists(st.one_of(st.none(), st.floats(allow_nan=False, width=16))),
    st.lists(st.one_of(st.none(), st.sampled_from(["", "a", "b", "ab"]))),
    st.lists(st.one_of(st.none(), st.booleans())),
)


@given(VALUES)
def test_rows_hash_alike_exactly_where_their_values_are_alike(values):
    whole = pa.array(values)

    hashes = column_hash(pa.chunked_array([whole[:2], whole[2:]], whole.type), 3)

    assert [hashes.tolist().index(one) for one in hashes] == [values.index(one) for one in values]


def test_the_same_value_hashes_otherwise_in_another_column():
    column = pa.chunked_array([[1, 2]])

    assert not set(column_hash(column, 0).tolist()) & set(column_hash(column, 1).tolist())


def test_swapped_values_are_not_the_same_row():
    left, right = pa.chunked_array([[1, 2]]), pa.chunked_array([[2, 1]])

    rows = column_hash(left, 0) + column_hash(right, 1)

    assert rows[0] != rows[1]


@given(st.lists(st.integers(0, 5)))
def test_repeats_are_counted_by_row_and_by_pair(values):
    counts = [values.count(one) for one in set(values)]

    share, pairs = repeats(np.array(values, dtype=np.uint64))

    assert round(share * len(values)) == sum(count - 1 for count in counts)
    assert pairs == sum(count * (count - 1) // 2 for count in counts)
