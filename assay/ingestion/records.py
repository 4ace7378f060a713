"""JSON records: an array of objects, or one object on each line.

Does not belong here: the types of columns (`typed_rows`).
"""

import codecs
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

from assay.ingestion.batches import BatchStream, ReadOptions
from assay.ingestion.bounds import require_few_columns
from assay.ingestion.defects import Defect, malformed
from assay.ingestion.strict_json import WHAT, FaultyRecord, StrictParser, as_unicode
from assay.ingestion.typed_rows import Block, typed_stream

MAX_LINE_BYTES = 16 << 20
_BLOCK_VALUES = 500_000
_BLOCK_BYTES = 8 << 20
_BLANK = b" \t\r\n"
_KINDS: Mapping[type, str] = MappingProxyType(
    {list: "array", dict: "object", str: "text", bool: "boolean", type(None): "null"}
)


def json_stream(path: Path, _: ReadOptions, name: str) -> BatchStream:
    """Read an array of objects; the whole file is held in memory.

    Args:
        path: the file.
        name: how it is called in messages; rows are the array's elements, from 1.

    Raises:
        MalformedDataError: not strict JSON (NaN and repeated keys are refused), no array of flat objects, columns that
            mix types.
    """
    document = StrictParser(name).parse(path.read_bytes(), row=None, offset=0)
    if not isinstance(document, list):
        raise malformed(Defect.NOT_RECORDS, WHAT, name, found=_kind(document), expected="an array of objects")
    records = [(row, 0, _record(value, row, name)) for row, value in enumerate(document, 1)]
    return typed_stream(lambda: _blocks(records, name), name)


def jsonl_stream(path: Path, _: ReadOptions, name: str) -> BatchStream:
    """Read one object from each line; blank lines are skipped.

    Args:
        path: the file.
        name: how it is called in messages; rows are lines.

    Raises:
        MalformedDataError: a line is no strict JSON object or over 16 MiB; columns that mix types; says where.
    """
    return typed_stream(lambda: _blocks(_lines(path, name), name), name)


def _blocks(records: Iterable[tuple[int, int, dict[str, Any]]], name: str) -> Iterator[Block]:
    """Cut records, each with its row's number and its bytes, to blocks that fit in memory."""
    names: dict[str, None] = {}
    rows: list[int] = []
    held: list[dict[str, Any]] = []
    size = 0
    for row, length, record in records:
        if not record.keys() <= names.keys():
            names.update(dict.fromkeys(record))
            require_few_columns(len(names), name)
            _require_unicode(record, row, name)
        rows.append(row)
        held.append(record)
        size += length
        if size >= _BLOCK_BYTES or len(rows) * max(1, len(names)) >= _BLOCK_VALUES:
            yield _block(rows, held, names)
            rows, held, size = [], [], 0
    if rows:
        yield _block(rows, held, names)


def _block(rows: list[int], held: list[dict[str, Any]], names: Iterable[str]) -> Block:
    return Block(rows, {column: [record.get(column) for record in held] for column in names})


def _lines(path: Path, name: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    parser = StrictParser(name)
    offset = 0
    with path.open("rb") as file:
        for row in count(1):
            line = file.readline(MAX_LINE_BYTES + 1)
            if not line:
                return
            if len(line) > MAX_LINE_BYTES:
                expected = f"at most {MAX_LINE_BYTES:,} bytes"
                raise malformed(
                    Defect.FIELD_TOO_LONG, "a line is too long", name, row=row, byte=offset, expected=expected
                )
            if line.removeprefix(codecs.BOM_UTF8 if row == 1 else b"").strip(_BLANK):
                yield row, len(line), _record(parser.parse(line, row, offset), row, name)
            offset += len(line)


def _record(value: Any, row: int, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise malformed(Defect.NOT_RECORDS, WHAT, name, row=row, found=_kind(value), expected="an object")
    if isinstance(value, FaultyRecord):
        raise value.refusal(name, row)
    return value


def _require_unicode(keys: Iterable[str], row: int, name: str) -> None:
    for key in keys:
        shown = as_unicode(key)
        if shown != key:
            raise malformed(
                Defect.WRONG_ENCODING,
                "a column's name is not valid Unicode",
                name,
                row=row,
                column=shown,
                found="half of a surrogate pair",
                expected="names of valid Unicode",
            )


def _kind(value: Any) -> str:
    return f"a JSON {_KINDS.get(type(value), 'number')}"
