"""JSON records."""

import json

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import MalformedDataError
from assay.reading import defects
from assay.reading.batches import ReadOptions, TypesTooNarrowError
from assay.reading.defects import SETTINGS, Defect
from assay.reading.formats import json_records as records
from assay.reading.formats.json_records import json_stream, jsonl_stream
from assay.specs.dataset import JsonOrient

rows = st.lists(
    st.fixed_dictionaries({"i": st.integers(-(2**63), 2**63 - 1), "s": st.none() | st.text(max_size=5)}), min_size=1
)

frames = st.lists(
    st.fixed_dictionaries({"i": st.none() | st.integers(-(2**63), 2**63 - 1), "s": st.text('aé0"\\', max_size=3)}),
    min_size=1,
    max_size=4,
)


def table_of(stream):
    try:
        return pa.Table.from_batches(stream.batches, stream.schema)
    except TypesTooNarrowError as narrow:
        return table_of(stream.again(narrow))


@pytest.fixture
def read(tmp_path):
    def of(content, name="rows.jsonl"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return table_of((json_stream if name.endswith(".json") else jsonl_stream)(path, ReadOptions()))

    return of


@given(rows, st.booleans())
def test_lines_are_read_back_exactly(tmp_path_factory, rows, ascii_only):
    path = tmp_path_factory.mktemp("jsonl") / "rows.jsonl"
    path.write_bytes("\n".join(json.dumps(row, ensure_ascii=ascii_only) for row in rows).encode(errors="replace"))
    table = table_of(jsonl_stream(path, ReadOptions()))
    assert table.to_pylist() == [json.loads(json.dumps(row).encode()) for row in rows]


values = st.none() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(values, min_size=1), st.integers(1, 5))
def test_types_are_those_of_all_values_however_they_are_cut(tmp_path_factory, values, block):
    path = tmp_path_factory.mktemp("jsonl") / "rows.jsonl"
    path.write_text("".join(json.dumps({"a": value}) + "\n" for value in values))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "_BLOCK_VALUES", block)
        table = table_of(jsonl_stream(path, ReadOptions()))
    assert table["a"].type == pa.array(values).type
    assert table["a"].to_pylist() == values


def test_an_array_of_objects_is_a_table(read):
    table = read('[{"a": 1, "b": "x"}, {"b": null, "c": true}]', name="rows.json")
    assert table.to_pydict() == {"a": [1, None], "b": ["x", None], "c": [None, True]}


@given(frames, st.sampled_from(JsonOrient))
def test_every_layout_of_pandas_is_read_exactly(tmp_path_factory, rows, orient):
    path = tmp_path_factory.mktemp("json") / "rows.json"
    frame = pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in ("i", "s")})
    frame.to_json(path, orient=orient.value, force_ascii=False)
    table = table_of(json_stream(path, ReadOptions(orient=orient)))
    names = [f"column_{number}" for number in (1, 2)] if orient is JsonOrient.VALUES else ["i", "s"]
    assert table.to_pylist() == [dict(zip(names, (row["i"], row["s"]), strict=True)) for row in rows]


def test_a_document_of_another_layout_says_which_it_is(read):
    with pytest.raises(MalformedDataError) as caught:
        read('{"a": {"0": 1}}', name="rows.json")
    assert caught.value.remedy == "set dataset.orient to columns or index"
    assert caught.value.defect in SETTINGS


def test_a_document_of_lines_says_its_format(read):
    with pytest.raises(MalformedDataError) as caught:
        read('{"a": 1}\n{"a": 2}', name="rows.json")
    assert caught.value.remedy.endswith("set dataset.format to jsonl")
    with pytest.raises(MalformedDataError) as caught:
        read('[{"a": 1}]\0', name="rows.json")
    assert not caught.value.remedy


def test_blank_lines_are_skipped_and_other_line_breaks_are_text(read):
    assert read('{"a": "x\u2028y"}\r\n\n {"a": "\\u0000z"} \n').to_pydict() == {"a": ["x\u2028y", "\0z"]}


@pytest.mark.parametrize(("name", "content"), [("rows.json", '[{"a": "é"}]'), ("rows.jsonl", '{"a": "é"}')])
def test_a_byte_order_mark_is_no_data(read, name, content):
    assert read(content.encode("utf-8-sig"), name=name).to_pydict() == {"a": ["é"]}


def test_a_column_that_comes_late_is_missing_before(read, monkeypatch):
    monkeypatch.setattr(records, "_BLOCK_VALUES", 1)
    assert read('{"a": 1}\n{"b": 2}\n{"a": 1.5}').to_pydict() == {"a": [1.0, None, 1.5], "b": [None, 2, None]}


def test_memory_holds_a_block_and_not_the_file(read, monkeypatch, tmp_path):
    monkeypatch.setattr(records, "_BLOCK_VALUES", 10)
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n' * 100)
    assert [batch.num_rows for batch in jsonl_stream(path, ReadOptions()).batches] == [10] * 10


ARRAY, LINES = "rows.json", "rows.jsonl"
REFUSED = {
    "NaN": (LINES, '{"a": 1}\n{"a": NaN}\n', Defect.INVALID_JSON, (2, "a", None)),
    "infinity": (ARRAY, '[{"a": 1}, {"a": -Infinity}]', Defect.INVALID_JSON, (2, "a", None)),
    "NaN outside of records": (ARRAY, "[[NaN]]", Defect.INVALID_JSON, (None, "", None)),
    "a repeated key": (ARRAY, '[{"b": 1}, {"a": 1, "a": 2}]', Defect.INVALID_JSON, (2, "a", None)),
    "a number past the floats": (ARRAY, '[{"a": 1e999}]', Defect.VALUE_OUT_OF_RANGE, (1, "a", None)),
    "a number past 64 bits": (LINES, '\n{"a": 9223372036854775808}', Defect.VALUE_OUT_OF_RANGE, (2, "a", None)),
    "a number of endless digits": (LINES, '{"a": ' + "1" * 5000 + "}", Defect.VALUE_OUT_OF_RANGE, (1, "", None)),
    "a whole number a float rounds": (
        ARRAY,
        '[{"a": 0.5}, {"a": 9007199254740993}]',
        Defect.VALUE_OUT_OF_RANGE,
        (2, "a", None),
    ),
    "half a character": (ARRAY, '[{"a": "x"}, {"a": "\\ud800"}]', Defect.WRONG_ENCODING, (2, "a", None)),
    "mixed types": (ARRAY, '[{"a": null}, {"a": 1}, {"a": "x"}]', Defect.MIXED_TYPES, (3, "a", None)),
    "truth and numbers": (LINES, '{"a": true}\n{"a": 1}', Defect.MIXED_TYPES, (2, "a", None)),
    "nested values": (ARRAY, '[{"b": 1}, {"a": [1]}]', Defect.NESTED_VALUES, (2, "a", None)),
    "a nested record": (LINES, '{"a": 1}\n{"a": {"b": 1}}', Defect.NESTED_VALUES, (2, "a", None)),
    "no array": (ARRAY, '{"a": 1}', Defect.NOT_RECORDS, (None, "", None)),
    "no objects": (ARRAY, "[1]", Defect.NOT_RECORDS, (1, "", None)),
    "an array on a line": (LINES, '{"a": 1}\n[1]', Defect.NOT_RECORDS, (2, "", None)),
    "half a document": (ARRAY, '[{"a": 1}', Defect.INVALID_JSON, (None, "", 9)),
    "half a line": (LINES, '{"a": "é"}\n{"a": 2\n', Defect.INVALID_JSON, (2, "", 20)),
    "two values on a line": (LINES, '{"a": 1} {"a": 2}\n', Defect.INVALID_JSON, (1, "", 9)),
    "a NUL byte": (LINES, b'{"a": "\0"}', Defect.INVALID_JSON, (1, "", 7)),
    "endless nesting": (ARRAY, "[" * 100_000, Defect.INVALID_JSON, (None, "", 0)),
    "endless nesting on a line": (LINES, '{"a": 1}\n' + "[" * 100_000, Defect.INVALID_JSON, (2, "", 9)),
    "another encoding": (ARRAY, b'[{"a": "\xe9"}]', Defect.WRONG_ENCODING, (None, "", 8)),
    "another encoding on a line": (LINES, b'{"a": 1}\n{"a": "\xe9"}', Defect.WRONG_ENCODING, (2, "", 16)),
    "half a byte order mark": (LINES, b'{"a": 1}\n\xbb\n', Defect.WRONG_ENCODING, (2, "", 9)),
    "UTF-16": (LINES, '{"a": 1}'.encode("utf-16"), Defect.WRONG_ENCODING, (1, "", 0)),
    "too many columns": (
        LINES,
        json.dumps({f"c{n}": 1 for n in range(5001)}),
        Defect.TOO_MANY_COLUMNS,
        (None, "", None),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("block", [1, 500_000])
def test_refused_with_the_location(read, monkeypatch, case, block):
    monkeypatch.setattr(records, "_BLOCK_VALUES", block)
    name, content, defect, (row, column, byte) = REFUSED[case]
    with pytest.raises(MalformedDataError) as caught:
        read(content, name=name)
    location = caught.value.location
    assert (caught.value.defect, location.row, location.column, location.byte) == (defect, row, column, byte)
    assert caught.value.expected


def test_a_line_is_bounded(read, monkeypatch):
    monkeypatch.setattr(records, "MAX_LINE_BYTES", 10)
    assert read('{"a":  1}\n{"a":  1}').num_rows == 2
    with pytest.raises(MalformedDataError) as caught:
        read('{"a": 1}\n{"a":   1}\n')
    assert (caught.value.defect, caught.value.location.row) == (Defect.FIELD_TOO_LONG, 2)


def test_values_are_counted(read, monkeypatch):
    monkeypatch.setattr(defects, "MAX_VALUES", 3)
    assert read('{"a": 1}\n' * 3).num_rows == 3
    with pytest.raises(MalformedDataError) as caught:
        read('{"a": 1}\n' * 4)
    assert caught.value.defect == Defect.TOO_LARGE


@pytest.mark.parametrize(("name", "content"), [("rows.json", "[]"), ("rows.jsonl", "\n")])
def test_no_records_are_no_rows(read, name, content):
    assert read(content, name=name).num_rows == 0
