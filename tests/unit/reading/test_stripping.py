"""Blanks around fields are removed where the dialect says so, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import MalformedDataError
from assay.reading.batches import ReadOptions
from assay.reading.delimited.blocks import TextBlock
from assay.reading.files import read_table, unseen_in
from assay.specs.dataset import CsvDialect

FIELD = st.text(" \tab0.", max_size=5)


@given(st.lists(st.lists(FIELD, min_size=2, max_size=4), max_size=5), st.sampled_from(["\n", "\r\n"]))
def test_every_field_is_stripped_as_python_strips_it(rows, end):
    text = end.join(",".join(row) for row in rows)
    block = TextBlock(text.encode(), 1, 100, last=True).stripped(",", '"')

    assert block.data.decode() == end.join(",".join(field.strip(" \t") for field in row) for row in rows)
    assert [text.encode()[block.byte_at(number) - 100] for number in range(len(block.data))] == list(block.data)


def test_quoted_fields_keep_their_blanks_and_may_have_blanks_around_the_quotes(read):
    table = read('a , b\n 1, " x, y " \n2 ,z\t\n', strip=True)

    assert table.to_pydict() == {"a": [1, 2], "b": [" x, y ", "z"]}


def test_without_the_setting_blanks_are_values(read):
    assert read("a,b\n1, x\n").to_pydict() == {"a": [1], "b": [" x"]}


def test_a_delimiter_that_is_a_tab_is_no_blank(read):
    assert read("a\tb\n 1\t\n2\tx \n", name="rows.tsv", strip=True).to_pydict() == {"a": [1, 2], "b": [None, "x"]}


def test_words_for_missing_values_are_compared_without_the_blanks(read):
    assert read("a,b\n1, ?\n2,  3\n", strip=True, null_words=("?",)).to_pydict() == {"a": [1, 2], "b": [None, 3]}


def test_messages_name_the_byte_of_the_file(read):
    content = b"a, b\n1,  x\n2,  y\x00z\n"
    with pytest.raises(MalformedDataError) as refused:
        read(content, strip=True)

    assert f"row 3, byte {content.index(0)}" in refused.value.where


def test_names_are_those_of_a_file_without_header(read):
    assert read("1,x\n2,y\n", header=False, names=("number", "text")).to_pydict() == {
        "number": [1, 2],
        "text": ["x", "y"],
    }


def test_another_number_of_names_than_fields_is_refused(read):
    with pytest.raises(MalformedDataError) as refused:
        read("1,x\n2,y\n", header=False, names=("number",))

    assert refused.value.found == "2 fields"
    assert "dataset.dialect.names" in str(refused.value.remedy)


def test_null_values_that_no_field_has_are_known_after_reading(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('a,b,c\n1,NA,xNA\n?,"-",N\n')
    table = read_table(
        path, ReadOptions(dialect=CsvDialect(null_values=("", "N"), null_words=("NA", "?", "-", "x", "A")))
    )

    assert unseen_in(table) == ("-", "A", "x")  # a quoted text is a value


def test_a_file_in_which_all_null_values_occur_says_nothing(read):
    assert unseen_in(read("a,b\n1,NA\n2,3\n", null_words=("NA",))) == ()
