"""Rows of delimited text, compared with Python's own reader: the same rows, or an error with the right line."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import EmptyDataError, MalformedDataError
from assay.reading.batches import ReadOptions
from assay.reading.defects import Defect
from assay.reading.delimited.fields import fields_of
from assay.reading.files import read_table

plain = st.text(st.sampled_from("ab01 ;.é"), max_size=3)
quoted = st.lists(st.sampled_from(["a", ",", "\n", "\r\n", '""', "é"]), max_size=3).map(
    lambda parts: f'"{"".join(parts)}"'
)
rows = st.lists(st.lists(plain | quoted, min_size=1, max_size=3).map(",".join), min_size=1, max_size=8)
TEXTS = ReadOptions(texts=frozenset({"x", "y"}))


@pytest.mark.parametrize("block_bytes", [5, 1 << 22])
@given(rows=rows, line_end=st.sampled_from(["\n", "\r\n"]))
def test_rows_are_those_of_pythons_reader_and_a_short_one_is_named_by_its_line(
    tmp_path_factory, block_bytes, rows, line_end
):
    text = line_end.join(["x,y", *rows])
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assay.reading.delimited.blocks.BLOCK_BYTES", block_bytes)
        assert answer(path) == pythons_answer(text)


def answer(path):
    try:
        table = read_table(path, TEXTS)
    except EmptyDataError:
        return []
    except MalformedDataError as refusal:
        return refusal.defect, refusal.location.row
    return [["" if value is None else value for value in row.values()] for row in table.to_pylist()]


def pythons_answer(text):
    reader = csv.reader(io.StringIO(text, newline=""))
    found, lines_before = [], 0
    for row in reader:
        if row and len(row) != 2:
            return Defect.RAGGED_ROW, lines_before + 1
        found += [row] if row else []
        lines_before = reader.line_num
    return found[1:]


def test_fields_are_given_by_start_length_and_column():
    fields = fields_of(b'a,"b,\n",\n\ncc\r\n', ",", '"')
    assert fields.starts.tolist() == [0, 2, 8, 10]
    assert fields.lengths.tolist() == [1, 5, 0, 2]
    assert fields.columns.tolist() == [0, 1, 2, 0]
    assert fields.start_of_row(1) == 10
    assert fields.first_row_without(3) == (10, 1)
    assert fields.first_longer_than(4) == (2, 1)
    assert fields.first_longer_than(5) is None


def test_rows_of_one_width_have_no_odd_one():
    assert fields_of(b"a,b\nc,d", ",", '"').first_row_without(2) == (-1, 2)
    assert fields_of(b"", ",", '"').columns.size == 0
    assert fields_of(b"a", ",", '"').columns.dtype == np.int64
