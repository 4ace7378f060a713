"""Leading zeros found in bytes are those that a look at each field finds."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.reading.delimited import header as scrutiny
from assay.reading.delimited.header import columns_with_leading_zeros

fields = st.text("0127.x -+e", max_size=5)
rows = st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(fields, min_size=width, max_size=width), max_size=6))


def seen_one_by_one(lines):
    return sorted({place for row in lines for place, field in enumerate(row) if re.match(r"[ \t+-]*0[0-9xX]", field)})


@given(rows, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_they_are_the_columns_that_a_look_at_each_field_finds(lines, line_end, ended):
    text = line_end.join(",".join(row) for row in lines) + (line_end if ended else "")
    assert columns_with_leading_zeros(text.encode(), ",").tolist() == seen_one_by_one(lines)


@pytest.mark.parametrize("piece", [1, 2, 3, 7])
def test_they_are_found_across_the_pieces_of_a_block(monkeypatch, piece):
    monkeypatch.setattr(scrutiny, "_PIECE", piece)
    assert columns_with_leading_zeros(b"1,-07,0\n10, 08,0.5\n2,3,0x1F", ",").tolist() == [1, 2]
