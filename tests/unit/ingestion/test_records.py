"""JSON records."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import EmptyDataError, MalformedDataError
from assay.ingestion.records import read_jsonl

records = st.lists(
    st.fixed_dictionaries({"i": st.integers(-(2**63), 2**63 - 1), "s": st.none() | st.text(max_size=5)}), min_size=1
)


@given(records, st.booleans())
def test_lines_are_read_back_exactly(tmp_path_factory, rows, ascii_only):
    path = tmp_path_factory.mktemp("jsonl") / "rows.jsonl"
    path.write_bytes("\n".join(json.dumps(row, ensure_ascii=ascii_only) for row in rows).encode(errors="replace"))
    table = read_jsonl(path, "rows.jsonl")
    assert table.to_pylist() == [json.loads(json.dumps(row).encode()) for row in rows]


def test_an_array_of_objects_is_a_table(read):
    table = read('[{"a": 1, "b": "x"}, {"b": null, "c": true}]', name="rows.json")
    assert table.to_pydict() == {"a": [1, None], "b": ["x", None], "c": [None, True]}


def test_blank_lines_are_skipped_and_other_line_breaks_are_text(read):
    assert read('{"a": "x\u2028y"}\n\n{"a": "z"}\n', name="rows.jsonl").to_pydict() == {"a": ["x\u2028y", "z"]}


REFUSED = {
    "NaN": ("rows.jsonl", '{"a": 1}\n{"a": NaN}\n', "rows.jsonl:2"),
    "a repeated key": ("rows.json", '[{"a": 1, "a": 2}]', "repeated key ['a']"),
    "a number past the floats": ("rows.json", '[{"a": 1e999}]', "a number too large for a float"),
    "a number past 64 bits": ("rows.json", '[{"a": 123456789012345678901}]', "64 bits"),
    "whole numbers that a float would round": ("rows.json", '[{"a": 9007199254740993}, {"a": 0.5}]', "64 bits"),
    "half a character": ("rows.json", '[{"a": "\\ud800"}]', "valid Unicode"),
    "mixed types": ("rows.json", '[{"a": 1}, {"a": "x"}]', "values of types int, str"),
    "truth and numbers": ("rows.json", '[{"a": true}, {"a": 1}]', "values of types bool, int"),
    "nested values": ("rows.json", '[{"b": 1}, {"a": [1]}]', "rows.json, record 2"),
    "a key of no letters": ("rows.json", '[{"a": 1, "": 2}]', "rows.json, column '2'"),
    "no array": ("rows.json", '{"a": 1}', "a JSON dict"),
    "no objects": ("rows.json", "[1]", "record 1"),
    "half a document": ("rows.json", '[{"a": 1}', "strict JSON"),
    "endless nesting": ("rows.json", "[" * 100_000, "strict JSON"),
    "another encoding": ("rows.json", b'[{"a": "\xe9"}]', "byte 8 is not UTF-8"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_place(read, case):
    name, content, message = REFUSED[case]
    with pytest.raises(MalformedDataError) as caught:
        read(content, name=name)
    assert message in str(caught.value)


@pytest.mark.parametrize(("name", "content"), [("rows.json", "[]"), ("rows.jsonl", "\n")])
def test_no_records_are_refused(read, name, content):
    with pytest.raises(EmptyDataError, match="no rows"):
        read(content, name=name)
