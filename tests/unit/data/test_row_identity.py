import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.row_identity import below_share, row_hashes
from assay.errors import MissingColumnError

TEXTS = [
    "",
    "a",
    "exactly8",
    "nine char",
    "ä" * 40,
    "x" * 256,
    "x" * 257,
    "x" * 300 + "a",
    "x" * 300 + "b",
    None,
    "a\0",
    "a\0\0",
]


def hashes(values, kind=None, salt="p"):
    return row_hashes(pa.table({"a": pa.array(values, kind)}), ["a"], salt).tolist()


def test_the_numbers_are_the_same_on_every_machine_and_in_every_version():
    table = pa.table(
        {
            "text": ["a", "long enough for two words", None],
            "whole": [1, -5, None],
            "part": [0.5, float("nan"), 1e300],
            "at": [dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.UTC), None, dt.datetime(1969, 12, 31, tzinfo=dt.UTC)],
            "flag": [True, False, None],
        }
    )
    assert [f"{each:016x}" for each in row_hashes(table, table.column_names, "demo")] == PINNED


PINNED = ["a7e59c2875c6a2f8", "358a2a26eac807f5", "bc1b4027de9caa4e"]


@given(st.lists(st.sampled_from(TEXTS) | st.text(max_size=30), max_size=20), st.integers(0, 20))
def test_a_text_has_one_number_however_it_is_stored(texts, cut):
    plain = pa.array(texts, pa.string())
    chunked = pa.chunked_array([plain.slice(0, cut), plain.slice(cut)])
    expected = hashes(texts, pa.string())
    part = pa.array(["left out", *texts], pa.large_string()).slice(1)
    for column in (plain.cast(pa.large_string()), plain.dictionary_encode(), chunked, part):
        assert row_hashes(pa.table({"a": column}), ["a"], "p").tolist() == expected
    assert len(set(expected)) == len(set(texts))


def test_equal_values_are_one_identity_and_different_ones_are_not():
    assert hashes([1, 0, None]) == hashes([1.0, -0.0, float("nan")])
    assert hashes([True, False]) == hashes([1, 0])
    assert hashes([dt.date(2024, 1, 2)]) == hashes([dt.datetime(2024, 1, 2, tzinfo=dt.UTC)])
    moments = [dt.datetime(2024, 1, 2, 3, tzinfo=dt.UTC)]
    assert hashes(moments, pa.timestamp("s")) == hashes(moments, pa.timestamp("ns")) == hashes(moments)
    large = [2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]
    assert len(set(hashes(large))) == 5
    assert hashes([None], pa.null()) == hashes([None], pa.string()) == hashes([None], pa.int64())
    assert len(set(hashes([[1], [2], [1]]))) == 2


def test_the_column_a_value_is_in_and_the_salt_count_and_the_order_of_columns_does_not():
    table = pa.table({"a": [1, 2], "b": [2, 1]})
    one, other = row_hashes(table, ["a", "b"], "p")
    assert one != other
    assert row_hashes(table, ["b", "a"], "p").tolist() == [one, other]
    assert row_hashes(table, ["a", "b"], "q").tolist() != [one, other]


@pytest.mark.parametrize("values", [np.arange(100_000), np.arange(100_000) / 8, np.arange(100_000).astype(str)])
def test_the_numbers_are_uniform(values):
    found = row_hashes(pa.table({"a": values}), ["a"], "p")
    assert len(np.unique(found)) == 100_000
    counts = np.bincount((found >> np.uint64(56)).astype(np.int64), minlength=256)
    chi2 = ((counts - 100_000 / 256) ** 2 / (100_000 / 256)).sum()
    assert 170 < chi2 < 350  # 255 degrees of freedom, standard deviation 23
    ones = np.unpackbits(found.view(np.uint8)).mean()
    assert abs(ones - 0.5) < 0.001


def test_a_larger_share_contains_a_smaller_one():
    found = row_hashes(pa.table({"a": np.arange(1000)}), ["a"], "p")
    small, large = below_share(found, 0.2), below_share(found, 0.5)
    assert (large | ~small).all()
    assert abs(small.mean() - 0.2) < 0.05


def test_a_missing_column_and_no_rows():
    with pytest.raises(MissingColumnError, match="'b'"):
        row_hashes(pa.table({"a": [1]}), ["b"], "p")
    assert row_hashes(pa.table({"a": pa.array([], pa.int64())}), ["a"], "p").shape == (0,)
