"""JSON: a document in one of the layouts of `assay.reading.json_orients`, or one object on each line."""

import codecs
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from assay.reading.batches import BatchStream, ReadOptions
from assay.reading.defects import Defect, defect_error, require_few_columns
from assay.reading.json_orients import record_of, records_of
from assay.reading.registry import Format
from assay.reading.strict_json import StrictParser, as_unicode
from assay.reading.typed_rows import TypedBlock, typed_stream

MAX_LINE_BYTES = 16 << 20
_BLOCK_VALUES = 500_000
_BLOCK_BYTES = 8 << 20
_BLANK = b" \t\r\n"
_SURROGATE = "half of a surrogate pair"


def json_stream(path: Path, options: ReadOptions) -> BatchStream:
    """Read one document; the whole file is held in memory, and rows are counted from 1.

    Raises:
        MalformedDataError: not strict JSON (NaN and repeated keys are refused), not of the layout `options.orient`,
            nested values, columns that mix types.
    """
    document = StrictParser().parse(path.read_bytes(), row=None, offset=0)
    records = [(row, 0, record) for row, record in records_of(document, options.orient)]
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
                yield row, len(line), record_of(parser.parse(line, row, offset), row)
            offset += len(line)


def _require_unicode(keys: Iterable[str], row: int) -> None:
    for key in keys:
        shown = as_unicode(key)
        if shown != key:
            what, found, expected = "a column's name is not valid Unicode", _SURROGATE, "names of valid Unicode"
            raise defect_error(Defect.WRONG_ENCODING, what, row=row, column=shown, found=found, expected=expected)


FORMATS = (Format("json", (".json",), json_stream), Format("jsonl", (".jsonl", ".ndjson"), jsonl_stream))
