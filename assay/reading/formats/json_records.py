"""JSON records: an array of objects, or one object on each line, in strict JSON."""

import codecs
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

from assay.errors import MalformedDataError
from assay.reading.batches import BatchStream, ReadOptions
from assay.reading.defects import Defect, defect_error, require_few_columns
from assay.reading.registry import Format
from assay.reading.typed_rows import TypedBlock, typed_stream

WHAT = "the file is not readable as JSON records"
_TINY = ("e-", "E-")
_SOME_DIGIT = re.compile(r"[^eE]*[1-9]")


class FaultyRecord(dict[str, Any]):
    """A record that is not strict JSON, kept until its row is known."""

    column = ""
    found = ""

    def error(self, row: int | None) -> MalformedDataError:
        """Return the error for the record."""
        expected = "unique keys, and numbers, texts, true, false or null"
        return defect_error(Defect.INVALID_JSON, WHAT, row=row, column=self.column, found=self.found, expected=expected)


class StrictParser:
    """Parser of strict JSON: other than Python's it refuses NaN, infinities and repeated keys."""

    def __init__(self) -> None:
        self._words: list[str] = []
        hooks: dict[str, Any] = {"parse_constant": self._constant, "object_pairs_hook": self._paired}
        self._decoder = json.JSONDecoder(**hooks)
        self._careful_decoder = json.JSONDecoder(**hooks, parse_float=_float)

    def parse(self, data: bytes, row: int | None, offset: int) -> Any:
        """Return the value of a document at an offset of the file."""
        mark = len(codecs.BOM_UTF8) if offset == 0 and data.startswith(codecs.BOM_UTF8) else 0
        try:
            text = data[mark:].decode()
            may_vanish = any(exponent in text for exponent in _TINY)
            value = (self._careful_decoder if may_vanish else self._decoder).decode(text)
        except UnicodeDecodeError as error:
            byte = offset + mark + error.start
            found, expected = f"byte {byte} is not UTF-8", "UTF-8 text"
            raise defect_error(
                Defect.WRONG_ENCODING, WHAT, row=row, byte=byte, found=found, expected=expected
            ) from error
        except json.JSONDecodeError as error:
            byte = offset + mark + len(text[: error.pos].encode())
            raise self._invalid(error.msg, row, byte) from error
        except RecursionError as error:
            raise self._invalid("values nested too deeply", row, offset) from error
        except ValueError as error:  # Python's limit of digits of a whole number, or `_float`
            what, found, expected = "a number is out of range", str(error)[:60], "numbers that 64 bits hold"
            raise defect_error(Defect.VALUE_OUT_OF_RANGE, what, row=row, found=found, expected=expected) from error
        if self._words:
            raise self._invalid(self._words[0], row, None)
        return value

    def _invalid(self, found: str, row: int | None, byte: int | None) -> MalformedDataError:
        return defect_error(Defect.INVALID_JSON, WHAT, row=row, byte=byte, found=found, expected="strict JSON")

    def _constant(self, word: str) -> float:
        self._words.append(word)
        return math.nan

    def _paired(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        record = dict(pairs)
        if len(record) != len(pairs):
            names = [key for key, _ in pairs]
            column = next(key for key in names if names.count(key) > 1)
            return _faulty(record, column, f"repeated key ['{as_unicode(column)}']")
        if self._words and any(value != value for value in record.values()):  # noqa: PLR0124 - only NaN differs from itself
            column = next(key for key, value in pairs if value != value)  # noqa: PLR0124 - as above
            return _faulty(record, column, self._words.pop())
        return record


def _faulty(record: dict[str, Any], column: str, found: str) -> FaultyRecord:
    faulty = FaultyRecord(record)
    faulty.column, faulty.found = as_unicode(column), found
    return faulty


def as_unicode(key: str) -> str:
    """Return a key with its lone surrogates, which cannot be encoded, spelled out."""
    return key.encode("utf-8", "backslashreplace").decode()


def _float(text: str) -> float:
    value = float(text)
    if value == 0 and _SOME_DIGIT.match(text):
        msg = f"{text[:40]}, too small for a float"
        raise ValueError(msg)
    return value


MAX_LINE_BYTES = 16 << 20
_BLOCK_VALUES = 500_000
_BLOCK_BYTES = 8 << 20
_BLANK = b" \t\r\n"
_SURROGATE = "half of a surrogate pair"
_KINDS: Mapping[type, str] = MappingProxyType(
    {list: "array", dict: "object", str: "text", bool: "boolean", type(None): "null"}
)


def json_stream(path: Path, _: ReadOptions) -> BatchStream:
    """Read an array of objects; the whole file is held in memory, and rows are the array's elements, from 1.

    Raises:
        MalformedDataError: not strict JSON (NaN and repeated keys are refused), not an array of flat objects, columns
            that mix types.
    """
    document = StrictParser().parse(path.read_bytes(), row=None, offset=0)
    if not isinstance(document, list):
        raise defect_error(Defect.NOT_RECORDS, WHAT, found=_kind(document), expected="an array of objects")
    records = [(row, 0, _record(value, row)) for row, value in enumerate(document, 1)]
    return typed_stream(lambda: _blocks(records))


def jsonl_stream(path: Path, _: ReadOptions) -> BatchStream:
    """Read one object from each line; blank lines are skipped, and rows are lines.

    Raises:
        MalformedDataError: a line is not a strict JSON object or over 16 MiB, or columns mix types; with the row.
    """
    return typed_stream(lambda: _blocks(_lines(path)))


def _blocks(records: Iterable[tuple[int, int, dict[str, Any]]]) -> Iterator[TypedBlock]:
    """Group records, each with its row number and its bytes, into blocks that fit in memory."""
    names: dict[str, None] = {}
    rows: list[int] = []
    pending: list[dict[str, Any]] = []
    size = 0
    for row, length, record in records:
        if not record.keys() <= names.keys():
            names.update(dict.fromkeys(record))
            require_few_columns(len(names))
            _require_unicode(record, row)
        rows.append(row)
        pending.append(record)
        size += length
        if size >= _BLOCK_BYTES or len(rows) * max(1, len(names)) >= _BLOCK_VALUES:
            yield _block(rows, pending, names)
            rows, pending, size = [], [], 0
    if rows:
        yield _block(rows, pending, names)


def _block(rows: list[int], pending: list[dict[str, Any]], names: Iterable[str]) -> TypedBlock:
    return TypedBlock(rows, {column: [record.get(column) for record in pending] for column in names})


def _lines(path: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    parser = StrictParser()
    offset = 0
    with path.open("rb") as file:
        for row in count(1):
            line = file.readline(MAX_LINE_BYTES + 1)
            if not line:
                return
            if len(line) > MAX_LINE_BYTES:
                what, expected = "a line is too long", f"at most {MAX_LINE_BYTES:,} bytes"
                raise defect_error(Defect.FIELD_TOO_LONG, what, row=row, byte=offset, expected=expected)
            if line.removeprefix(codecs.BOM_UTF8 if row == 1 else b"").strip(_BLANK):
                yield row, len(line), _record(parser.parse(line, row, offset), row)
            offset += len(line)


def _record(value: Any, row: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise defect_error(Defect.NOT_RECORDS, WHAT, row=row, found=_kind(value), expected="an object")
    if isinstance(value, FaultyRecord):
        expected, column = "unique keys, and numbers, texts, true, false or null", value.column
        raise defect_error(Defect.INVALID_JSON, WHAT, row=row, column=column, found=value.found, expected=expected)
    return value


def _require_unicode(keys: Iterable[str], row: int) -> None:
    for key in keys:
        shown = as_unicode(key)
        if shown != key:
            what, found, expected = "a column's name is not valid Unicode", _SURROGATE, "names of valid Unicode"
            raise defect_error(Defect.WRONG_ENCODING, what, row=row, column=shown, found=found, expected=expected)


def _kind(value: Any) -> str:
    return f"a JSON {_KINDS.get(type(value), 'number')}"


FORMATS = (Format("json", (".json",), json_stream), Format("jsonl", (".jsonl", ".ndjson"), jsonl_stream))
