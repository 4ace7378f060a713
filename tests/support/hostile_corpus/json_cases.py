"""JSON, whole and by lines: what lenient parsers accept, and what is not a table."""

import json

import pyarrow as pa
from hostile_corpus.cases import EMPTY, Content, Exact, HostileCase, Refused, defect, exact

from assay.reading.batches import ReadOptions
from assay.reading.defects import Defect
from assay.specs.dataset import JsonOrient

_MARK = b"\xef\xbb\xbf"
_DEEP = 100_000
_TABLE = exact(a=[1, 2], b=["x", "y"])
_GOOD = '{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n'


def whole(name: str, content: Content, expected: Exact | Refused, *, confined: bool = False) -> HostileCase:
    """Return a case of one document."""
    return HostileCase(name, "rows.json", content, expected, confined=confined)


def lines(name: str, content: Content, expected: Exact | Refused, *, confined: bool = False) -> HostileCase:
    """Return a case of a document on each line."""
    return HostileCase(f"lines: {name}", "rows.jsonl", content, expected, confined=confined)


def _wide(count: int) -> str:
    return json.dumps([{f"c{number}": number for number in range(count)}])


def _late_key() -> bytes:
    return b'{"a": 1}\n' * 100_000 + b'{"a": 1, "b": "x"}\n'


_INVALID = defect(Defect.INVALID_JSON)

SYNTAX = [
    whole("a document", '[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]', _TABLE),
    whole("NaN", '[{"a": 1.5}, {"a": NaN}]', defect(Defect.INVALID_JSON, row=2, column="a")),
    whole("Infinity", '[{"a": 1.5}, {"a": -Infinity}]', defect(Defect.INVALID_JSON, row=2, column="a")),
    whole("a key twice in one record", '[{"a": 1, "a": 2}]', defect(Defect.INVALID_JSON, row=1, column="a")),
    whole("keys that differ in case", '[{"a": 1, "A": 2}]', exact({"a": [1], "A": [2]})),
    whole(
        "keys that are one after unescaping",
        '[{"a": 1, "\\u0061": 2}]',
        defect(Defect.INVALID_JSON, row=1, column="a"),
    ),
    whole("a comma after the last record", '[{"a": 1},]', defect(Defect.INVALID_JSON, byte=10)),
    whole("a comma after the last key", '[{"a": 1,}]', defect(Defect.INVALID_JSON, byte=9)),
    whole("comments", '[{"a": 1} /* one */]', defect(Defect.INVALID_JSON, byte=10)),
    whole("single quotes", "[{'a': 1}]", defect(Defect.INVALID_JSON, byte=2)),
    whole("a leading zero", '[{"a": 007}]', defect(Defect.INVALID_JSON, byte=8)),
    whole("a line break inside a text", '[{"a": "x\ny"}]', defect(Defect.INVALID_JSON, byte=9)),
    whole("cut off", '[{"a": 1}, {"a": 2', defect(Defect.INVALID_JSON, byte=18)),
    whole("two documents in one file", '[{"a": 1}]\n[{"a": 2}]', defect(Defect.INVALID_JSON, byte=11)),
    whole("two documents, the second on line 3", '[{"a": 1}]\n\n[{"a": 2}]', defect(Defect.INVALID_JSON, byte=12)),
    whole("an empty file", b"", EMPTY),
    whole("blanks only", " \n ", Refused("data_malformed", Defect.INVALID_JSON)),
    whole("no records", "[]", EMPTY),
    whole("records without keys", "[{}, {}]", EMPTY),
    whole("a byte order mark", _MARK + b'[{"a": 1}]', exact(a=[1])),
    whole("UTF-16", '[{"a": 1}]'.encode("utf-16"), defect(Defect.WRONG_ENCODING, byte=0)),
    whole("a byte that is not UTF-8", b'[{"a": "x"},\n{"a": "\xe9"}]', defect(Defect.WRONG_ENCODING, byte=20)),
    whole("half a surrogate pair", '[{"a": "\\ud800"}]', defect(Defect.WRONG_ENCODING, row=1, column="a")),
    whole("a surrogate pair", '[{"a": "\\ud83d\\ude00"}]', exact(a=["😀"])),
    whole("half a surrogate pair in a key", '[{"a": 1}, {"a\\ud800": 1}]', defect(Defect.WRONG_ENCODING, row=2)),
    whole(
        "half a surrogate pair in a key that is there twice",
        '[{"a\\ud800": 1, "a\\ud800": 2}]',
        defect(Defect.INVALID_JSON, row=1),
    ),
    whole("a number too small for a float", '[{"a": -1.5e-400}]', defect(Defect.VALUE_OUT_OF_RANGE)),
    whole("a zero with a negative exponent", '[{"a": 0.0e-400}, {"a": 1e-300}]', exact(a=[0.0, 1e-300])),
    whole("a NUL escape", '[{"a": "x\\u0000y"}]', exact(a=["x\0y"])),
    whole("a NUL", '[{"a": 1}]\0', defect(Defect.INVALID_JSON, byte=10)),
    whole("a document padded with NULs", b'[{"a": 1}]' + bytes(4096), defect(Defect.INVALID_JSON, byte=10)),
]

SHAPES = [
    whole("one record, not in an array", '{"a": 1}', defect(Defect.NOT_RECORDS)),
    whole("a number", "7", defect(Defect.NOT_RECORDS)),
    whole("null", "null", defect(Defect.NOT_RECORDS)),
    whole("an array of arrays", "[[1, 2], [3, 4]]", defect(Defect.OTHER_ORIENT)),
    whole("columns of pandas", '{"a": {"0": 1}}', defect(Defect.OTHER_ORIENT)),
    whole("columns and data of pandas", '{"columns": ["a"], "data": [[1]]}', defect(Defect.OTHER_ORIENT)),
    whole("an empty object", "{}", defect(Defect.NOT_RECORDS)),
    whole("a number among the records", '[{"a": 1}, 7]', defect(Defect.NOT_RECORDS, row=2)),
    whole("columns, not records", '{"a": [1, 2], "b": [3, 4]}', defect(Defect.NOT_RECORDS)),
    whole("a record inside a record", '[{"a": {"b": 1}}]', defect(Defect.NESTED_VALUES, row=1, column="a")),
    whole("a list inside a record", '[{"a": 1}, {"a": [1, 2]}]', defect(Defect.NESTED_VALUES, row=2, column="a")),
    whole("an empty list inside a record", '[{"a": 1}, {"a": []}]', defect(Defect.NESTED_VALUES, row=2, column="a")),
    whole("100,000 arrays inside each other", "[" * _DEEP + "]" * _DEEP, _INVALID, confined=True),
    whole("100,000 records inside each other", '[{"a":' * _DEEP, _INVALID, confined=True),
    whole("an empty key", '[{"": 1}]', defect(Defect.UNNAMED_COLUMN, column="1")),
    whole("5,001 keys", lambda: _wide(5_001).encode(), defect(Defect.TOO_MANY_COLUMNS)),
    whole("keys that some records lack", '[{"a": 1}, {"b": "x"}, {}]', exact(a=[1, None, None], b=[None, "x", None])),
    whole("null only", '[{"a": null, "b": 1}]', exact(a=pa.nulls(1), b=[1])),
]

VALUES = [
    whole("texts among numbers", '[{"a": 1}, {"a": "x"}]', defect(Defect.MIXED_TYPES, row=2, column="a")),
    whole("numbers in texts stay texts", '[{"a": "007"}, {"a": "1"}]', exact(a=["007", "1"])),
    whole("truth among numbers", '[{"a": 1}, {"a": true}]', defect(Defect.MIXED_TYPES, row=2, column="a")),
    whole("fractions among whole numbers", '[{"a": 1}, {"a": 0.5}, {"a": null}]', exact(a=[1.0, 0.5, None])),
    whole("words that resemble missing values", '[{"a": "NA"}, {"a": "null"}, {"a": ""}]', exact(a=["NA", "null", ""])),
    whole("the largest whole numbers", f'[{{"a": {2**63 - 1}}}, {{"a": {-(2**63)}}}]', exact(a=[2**63 - 1, -(2**63)])),
    whole(
        "a whole number past 64 bits",
        '[{"a": 18446744073709551617}]',
        defect(Defect.VALUE_OUT_OF_RANGE, row=1, column="a"),
    ),
    whole("a number past the floats", '[{"a": 1e999}]', defect(Defect.VALUE_OUT_OF_RANGE, row=1, column="a")),
    whole("a number of 5,000 digits", '[{"a": ' + "7" * 5_000 + "}]", defect(Defect.VALUE_OUT_OF_RANGE)),
    whole(
        "a whole number without a float, among fractions",
        '[{"a": 9007199254740993}, {"a": 0.5}]',
        defect(Defect.VALUE_OUT_OF_RANGE, row=1, column="a"),
    ),
    whole("minus zero", '[{"a": -0.0}, {"a": 0.5}]', exact(a=[-0.0, 0.5])),
    whole(
        "a text of 2 MiB",
        lambda: json.dumps([{"a": "x" * (2 << 20)}]).encode(),
        exact(lambda: pa.table({"a": ["x" * (2 << 20)]})),
    ),
]

LINES = [
    lines("records", _GOOD, _TABLE),
    lines("no final line end", _GOOD.rstrip("\n"), _TABLE),
    lines("blank lines", "\n" + _GOOD.replace("\n", "\n\n"), _TABLE),
    lines("Windows line ends", _GOOD.replace("\n", "\r\n"), _TABLE),
    lines("a byte order mark", _MARK + _GOOD.encode(), _TABLE),
    lines("a line separator of Unicode inside a text", '{"a": "x\u2028y"}\n', exact(a=["x\u2028y"])),
    lines("NaN", '{"a": 1.5}\n{"a": NaN}\n', defect(Defect.INVALID_JSON, row=2, column="a")),
    lines("a key twice", '{"a": 1}\n{"a": 1, "a": 2}\n', defect(Defect.INVALID_JSON, row=2, column="a")),
    lines("cut off", '{"a": 1}\n{"a": 2', defect(Defect.INVALID_JSON, row=2, byte=16)),
    lines("two records on one line", '{"a": 1}\n{"a": 2} {"a": 3}\n', defect(Defect.INVALID_JSON, row=2, byte=18)),
    lines("a record over two lines", '{"a": 1}\n{"a":\n2}\n', defect(Defect.INVALID_JSON, row=2)),
    lines("a comma after each line", '{"a": 1},\n{"a": 2},\n', defect(Defect.INVALID_JSON, row=1)),
    lines("an array on one line", '[{"a": 1}]\n', defect(Defect.NOT_RECORDS, row=1)),
    lines("a number on one line", '{"a": 1}\n7\n', defect(Defect.NOT_RECORDS, row=2)),
    lines("a list inside a record", '{"a": 1}\n{"a": [1]}\n', defect(Defect.NESTED_VALUES, row=2, column="a")),
    lines("texts among numbers", '{"a": 1}\n\n{"a": "x"}\n', defect(Defect.MIXED_TYPES, row=3, column="a")),
    lines("a byte that is not UTF-8", b'{"a": 1}\n{"a": "\xe9"}\n', defect(Defect.WRONG_ENCODING, row=2, byte=16)),
    lines(
        "100,000 lists inside each other",
        '{"a": 1}\n' + '{"a": ' + "[" * _DEEP,
        defect(Defect.INVALID_JSON, row=2),
        confined=True,
    ),
    lines(
        "a line of 17 MiB",
        lambda: b'{"a": 1}\n{"a": "' + b"x" * (17 << 20) + b'"}\n',
        defect(Defect.FIELD_TOO_LONG, row=2, byte=9),
    ),
    lines("only line ends", "\n\n", EMPTY),
    lines(
        "a key that is first there in record 100,001",
        _late_key,
        exact(lambda: pa.table({"a": [1] * 100_001, "b": [None] * 100_000 + ["x"]})),
    ),
]


def oriented(orient: JsonOrient, name: str, content: Content, expected: Exact | Refused) -> HostileCase:
    """Return a case of one document that is read in a layout."""
    return HostileCase(f"{orient}: {name}", "rows.json", content, expected, ReadOptions(orient=orient))


def _table_of(rows: str, *fields: str, key: str = '["index"]') -> str:
    described = ", ".join(
        f'{{"name": "{name}", "type": "{kind}"}}' for name, kind in (each.split(":") for each in fields)
    )
    return f'{{"schema": {{"fields": [{described}], "primaryKey": {key}, "pandas_version": "1.4.0"}}, "data": {rows}}}'


_SPLIT, _INDEX, _COLUMNS = JsonOrient.SPLIT, JsonOrient.INDEX, JsonOrient.COLUMNS
_VALUES, _TABLE_LAYOUT = JsonOrient.VALUES, JsonOrient.TABLE
_COUNTED = '[{"index": 0, "a": 1, "b": "x"}, {"index": 1, "a": 2, "b": "y"}]'

ORIENTS = [
    oriented(_SPLIT, "a document", '{"columns": ["a", "b"], "index": [0, 1], "data": [[1, "x"], [2, "y"]]}', _TABLE),
    oriented(_SPLIT, "no index", '{"data": [[1, "x"], [2, "y"]], "columns": ["a", "b"]}', _TABLE),
    oriented(
        _SPLIT,
        "labels of rows",
        '{"columns": ["a"], "index": [5, 7], "data": [[1], [2]]}',
        exact(index=[5, 7], a=[1, 2]),
    ),
    oriented(
        _SPLIT,
        "false and true are labels",
        '{"columns": ["a"], "index": [false, true], "data": [[1], [2]]}',
        exact(index=[False, True], a=[1, 2]),
    ),
    oriented(
        _SPLIT,
        "labels and a column of their name",
        '{"columns": ["index"], "index": [5], "data": [[1]]}',
        defect(Defect.REPEATED_COLUMN, row=1, column="index"),
    ),
    oriented(
        _SPLIT, "names that are numbers", '{"columns": [0, 1], "data": [[1, "x"]]}', exact({"0": [1], "1": ["x"]})
    ),
    oriented(
        _SPLIT,
        "a number and its text as names",
        '{"columns": [0, "0"], "data": [[1, 2]]}',
        defect(Defect.REPEATED_COLUMN, column="0"),
    ),
    oriented(
        _SPLIT,
        "a name twice",
        '{"columns": ["a", "a"], "data": [[1, 2]]}',
        defect(Defect.REPEATED_COLUMN, column="a"),
    ),
    oriented(
        _SPLIT,
        "names of two levels",
        '{"columns": [["a", "b"]], "data": [[1]]}',
        defect(Defect.UNNAMED_COLUMN, column="1"),
    ),
    oriented(
        _SPLIT, "a row too short", '{"columns": ["a", "b"], "data": [[1, 2], [3]]}', defect(Defect.RAGGED_ROW, row=2)
    ),
    oriented(_SPLIT, "a row too long", '{"columns": ["a"], "data": [[1], [2, 3]]}', defect(Defect.RAGGED_ROW, row=2)),
    oriented(
        _SPLIT, "a row that is an object", '{"columns": ["a"], "data": [{"a": 1}]}', defect(Defect.NOT_RECORDS, row=1)
    ),
    oriented(
        _SPLIT, "too few labels", '{"columns": ["a"], "index": [0], "data": [[1], [2]]}', defect(Defect.RAGGED_ROW)
    ),
    oriented(
        _SPLIT,
        "a part twice",
        '{"columns": ["a"], "data": [[1]], "data": [[2]]}',
        defect(Defect.INVALID_JSON, column="data"),
    ),
    oriented(_SPLIT, "a part too many", '{"columns": ["a"], "data": [[1]], "name": "x"}', defect(Defect.NOT_RECORDS)),
    oriented(_SPLIT, "columns that are no array", '{"columns": "a", "data": [[1]]}', defect(Defect.NOT_RECORDS)),
    oriented(_SPLIT, "NaN", '{"columns": ["a"], "data": [[NaN]]}', _INVALID),
    oriented(
        _SPLIT,
        "texts among numbers",
        '{"columns": ["a"], "data": [[1], ["x"]]}',
        defect(Defect.MIXED_TYPES, row=2, column="a"),
    ),
    oriented(
        _SPLIT,
        "a list as a value",
        '{"columns": ["a"], "data": [[[1]]]}',
        defect(Defect.NESTED_VALUES, row=1, column="a"),
    ),
    oriented(_SPLIT, "no rows", '{"columns": ["a"], "index": [], "data": []}', EMPTY),
    oriented(_SPLIT, "records", '[{"a": 1}]', defect(Defect.OTHER_ORIENT)),
    oriented(_INDEX, "a document", '{"0": {"a": 1, "b": "x"}, "1": {"a": 2, "b": "y"}}', _TABLE),
    oriented(_INDEX, "labels of rows", '{"k": {"a": 1}, "1": {"a": 2}}', exact(index=["k", "1"], a=[1, 2])),
    oriented(_INDEX, "a label twice", '{"0": {"a": 1}, "0": {"a": 2}}', defect(Defect.INVALID_JSON, column="0")),
    oriented(
        _INDEX, "a key twice", '{"0": {"a": 1}, "1": {"a": 1, "a": 2}}', defect(Defect.INVALID_JSON, row=2, column="a")
    ),
    oriented(_INDEX, "a row that is a number", '{"0": {"a": 1}, "1": 7}', defect(Defect.NOT_RECORDS, row=2)),
    oriented(
        _INDEX,
        "half a surrogate pair in a label",
        '{"\\ud800": {"a": 1}}',
        defect(Defect.WRONG_ENCODING, row=1, column="index"),
    ),
    oriented(_COLUMNS, "a document", '{"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": "y"}}', _TABLE),
    oriented(_COLUMNS, "labels of rows", '{"a": {"1": 1, "0": 2}}', exact(index=["1", "0"], a=[1, 2])),
    oriented(_COLUMNS, "a label twice", '{"a": {"0": 1, "0": 2}}', defect(Defect.INVALID_JSON, row=1, column="a")),
    oriented(_COLUMNS, "a column twice", '{"a": {"0": 1}, "a": {"0": 2}}', defect(Defect.INVALID_JSON, column="a")),
    oriented(
        _COLUMNS, "a column too short", '{"a": {"0": 1, "1": 2}, "b": {"0": 1}}', defect(Defect.RAGGED_ROW, column="b")
    ),
    oriented(
        _COLUMNS,
        "a column in another order",
        '{"a": {"0": 1, "1": 2}, "b": {"1": 1, "0": 2}}',
        defect(Defect.RAGGED_ROW, column="b"),
    ),
    oriented(
        _COLUMNS, "a column that is an array", '{"a": {"0": 1}, "b": [1]}', defect(Defect.NOT_RECORDS, column="b")
    ),
    oriented(_COLUMNS, "NaN", '{"a": {"0": 1.5, "1": NaN}}', defect(Defect.INVALID_JSON, row=2, column="a")),
    oriented(
        _COLUMNS,
        "a whole number past 64 bits",
        '{"a": {"0": 18446744073709551617}}',
        defect(Defect.VALUE_OUT_OF_RANGE, row=1, column="a"),
    ),
    oriented(
        _COLUMNS,
        "columns named as the parts of split",
        '{"columns": {"0": 1}, "data": {"0": 2}}',
        exact(columns=[1], data=[2]),
    ),
    oriented(
        _COLUMNS,
        "5,001 columns",
        lambda: json.dumps({f"c{n}": {"0": n} for n in range(5_001)}).encode(),
        defect(Defect.TOO_MANY_COLUMNS),
    ),
    oriented(_COLUMNS, "an empty object", "{}", EMPTY),
    oriented(_VALUES, "a document", '[[1, "x"], [2, "y"]]', exact(column_1=[1, 2], column_2=["x", "y"])),
    oriented(_VALUES, "rows that differ in length", "[[1, 2], [3]]", defect(Defect.RAGGED_ROW, row=2)),
    oriented(_VALUES, "a row that is a number", "[[1], 2]", defect(Defect.NOT_RECORDS, row=2)),
    oriented(_VALUES, "no rows", "[]", EMPTY),
    oriented(_TABLE_LAYOUT, "a document", _table_of(_COUNTED, "index:integer", "a:integer", "b:string"), _TABLE),
    oriented(
        _TABLE_LAYOUT,
        "labels of rows",
        _table_of('[{"id": 0, "a": 1}]', "id:integer", "a:integer", key='["id"]'),
        exact(id=[0], a=[1]),
    ),
    oriented(
        _TABLE_LAYOUT,
        "a column named index that labels nothing",
        _table_of('[{"index": 0, "a": 1}]', "index:integer", "a:integer", key="[]"),
        exact(index=[0], a=[1]),
    ),
    oriented(
        _TABLE_LAYOUT,
        "a value of another type than declared",
        _table_of('[{"a": 1}, {"a": "x"}]', "a:integer"),
        defect(Defect.MIXED_TYPES, row=2, column="a"),
    ),
    oriented(
        _TABLE_LAYOUT,
        "a fraction declared as a whole number",
        _table_of('[{"a": 1.5}]', "a:integer"),
        defect(Defect.MIXED_TYPES, row=1, column="a"),
    ),
    oriented(_TABLE_LAYOUT, "null of any type", _table_of('[{"a": null}, {"a": 2}]', "a:integer"), exact(a=[None, 2])),
    oriented(
        _TABLE_LAYOUT,
        "a column that the schema lacks",
        _table_of('[{"a": 1, "b": 2}]', "a:integer"),
        defect(Defect.RAGGED_ROW, row=1, column="b"),
    ),
    oriented(
        _TABLE_LAYOUT,
        "a column that a row lacks",
        _table_of('[{"a": 1, "b": 2}, {"a": 1}]', "a:integer", "b:integer"),
        defect(Defect.RAGGED_ROW, row=2, column="b"),
    ),
    oriented(
        _TABLE_LAYOUT,
        "a field twice",
        _table_of('[{"a": 1}]', "a:integer", "a:string"),
        defect(Defect.REPEATED_COLUMN, column="a"),
    ),
    oriented(
        _TABLE_LAYOUT,
        "a name twice in one field",
        '{"schema": {"fields": [{"name": "a", "name": "b"}]}, "data": [{"b": 1}]}',
        defect(Defect.INVALID_JSON, column="name"),
    ),
    oriented(
        _TABLE_LAYOUT,
        "a key twice",
        _table_of('[{"a": 1, "a": 2}]', "a:integer"),
        defect(Defect.INVALID_JSON, row=1, column="a"),
    ),
    oriented(
        _TABLE_LAYOUT, "a schema without fields", '{"schema": {}, "data": [{"a": 1}]}', defect(Defect.NOT_RECORDS)
    ),
    HostileCase(
        "a layout of JSON for delimited text",
        "rows.csv",
        "a\n1\n",
        Refused("format_unsupported"),
        ReadOptions(orient=_SPLIT),
    ),
]

CASES: list[HostileCase] = [*SYNTAX, *SHAPES, *VALUES, *ORIENTS, *LINES]
