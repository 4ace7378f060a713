"""Leading zeros found in the bytes of a block are those of its fields, one by one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.reading.delimited import fields as module
from assay.reading.delimited.fields import columns_with_leading_zeros

fields = st.text("0127.x -+e", max_size=5)
rows = st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(fields, min_size=width, max_size=width), max_size=6))


def found_field_by_field(lines):
    return sorted({column for row in lines for column, field in enumerate(row) if re.match(r"[ \t+-]*0[0-9xX]", field)})


@given(rows, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_the_columns_are_those_found_field_by_field(lines, line_end, ended):
    text = line_end.join(",".join(row) for row in lines) + (line_end if ended else "")
    assert columns_with_leading_zeros(text.encode(), ",").tolist() == found_field_by_field(lines)


@pytest.mark.parametrize("piece", [1, 2, 3, 7])
def test_leading_zeros_are_found_across_the_pieces_of_a_block(monkeypatch, piece):
    monkeypatch.setattr(module, "_PIECE", piece)
    assert columns_with_leading_zeros(b"1,-07,0\n10, 08,0.5\n2,3,0x1F", ",").tolist() == [1, 2]
