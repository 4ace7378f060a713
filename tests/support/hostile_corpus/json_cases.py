"""JSON, whole and by lines: what lenient parsers accept, and what is not a table."""

import json

import pyarrow as pa
from hostile_corpus.cases import EMPTY, Content, Exact, HostileCase, Refused, defect, exact

from assay.reading.defects import Defect

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
    whole("an array of arrays", "[[1, 2], [3, 4]]", defect(Defect.NOT_RECORDS, row=1)),
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

CASES: list[HostileCase] = [*SYNTAX, *SHAPES, *VALUES, *LINES]
