"""Delimited text as a stream of batches: types come from the first block, or from all where those are too narrow.

The types of several blocks are joined such that no value of any block is lost.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial, reduce
from itertools import chain
from pathlib import Path
from typing import TypeAlias, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import MalformedDataError
from assay.reading.batches import BatchStream, ReadOptions, TypesTooNarrowError
from assay.reading.defects import unnamed_column
from assay.reading.delimited.blocks import TextBlock, blocks, require_known_encoding
from assay.reading.delimited.conversion import EXACT_UP_TO, columns_that_lose, converted
from assay.reading.delimited.fields import Rows, is_unnamed, split_header
from assay.reading.registry import Format

ColumnTypes: TypeAlias = Mapping[str, pa.DataType]
_BIG = pa.uint64()
"""Marks whole numbers beyond the exact floats; Arrow's inference never gives this type."""


def types_of(block: TextBlock, rows: Rows, fixed: ColumnTypes) -> ColumnTypes:
    """Return the types that fit one block; fixed ones stay.

    Raises:
        TypesTooNarrowError: a fixed type does not fit.
        MalformedDataError: the rows cannot be read.
    """
    table = converted(block, rows, fixed)
    lossy = columns_that_lose(table, block, rows)
    return {
        field.name: pa.string() if field.name in lossy else _BIG if _is_big(table[field.name]) else field.type
        for field in table.schema
    }


def joined(first: ColumnTypes, second: ColumnTypes) -> ColumnTypes:
    """Return the types that fit both; text fits everything."""
    return {name: _join(first[name], second[name]) for name in first}


def settled(types: ColumnTypes) -> ColumnTypes:
    """Return the types to convert to, after all blocks were joined."""
    return {name: pa.int64() if dtype == _BIG else dtype for name, dtype in types.items()}


def _is_big(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_integer(column.type):
        return False
    bounds = pc.min_max(column).as_py()
    return any(value is not None and abs(value) > EXACT_UP_TO for value in bounds.values())


def _join(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    if first == second or pa.types.is_null(second):
        return first
    if pa.types.is_null(first):
        return second
    pair = {first, second}
    if pair <= {pa.int64(), _BIG}:
        return _BIG
    if pair == {pa.int64(), pa.float64()}:
        return pa.float64()
    if all(_is_moment(dtype) for dtype in pair):
        return _join_moments(first, second)
    return pa.string()


def _is_moment(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(dtype) or pa.types.is_date32(dtype))


def _join_moments(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    if pa.types.is_date32(first) or pa.types.is_date32(second):
        other = second if pa.types.is_date32(first) else first
        return other if other.tz is None else pa.string()
    if first.tz != second.tz:
        return pa.string()
    return first if first.unit == "ns" else second


Result = TypeVar("Result")
_WORKERS = 2


def delimited_stream(path: Path, options: ReadOptions, *, delimiter: str) -> BatchStream:
    """Read delimited text; every row must have as many fields as the header.

    A column of numbers stays text when a number would lose something of any value: a leading zero (`00123`, `0x1F`),
    digits beyond 64 bits, or a size beyond a float's. Quoted fields may hold delimiters and line breaks, and are never
    missing. An unnamed column is left out if it is empty. Column types are those of the first block; where later rows
    do not fit them, `again` gives a stream whose types were inferred from all rows. `delimiter` is the format's own
    separator, where the dialect sets none.

    Raises:
        MalformedDataError: the rows do not follow the dialect; with the line.
        EmptyDataError: there is no header.
    """
    require_known_encoding(options.dialect)
    separator = options.dialect.delimiter or delimiter
    rows, first = split_header(next(blocks(path, options.dialect, separator)), options.dialect, separator)
    fixed = {column: pa.null() if is_unnamed(column) else pa.string() for column in rows.names}
    unseen = {word for word in (*options.dialect.null_values, *options.dialect.null_words) if word}
    file = _File(
        path, rows, {name: dtype for name, dtype in fixed.items() if is_unnamed(name) or name in options.texts}, unseen
    )
    return file.stream(file.inferred(first), complete=False)


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    rows: Rows
    fixed: ColumnTypes
    unseen: set[str]

    def stream(self, types: ColumnTypes, *, complete: bool) -> BatchStream:
        """Convert all rows to these types; `complete` says that the types come from all rows."""
        wanted = settled(types)
        named = [column for column in self.rows.names if not is_unnamed(column)]

        def batches() -> Iterator[pa.RecordBatch]:
            for table in in_order(lambda block: self.fitting(block, wanted), self.blocks()):
                yield from table.select(named).to_batches()

        def again(narrow: TypesTooNarrowError) -> BatchStream:
            if complete:  # a whole number beyond the floats among fractions: only text holds both
                return self.stream({**wanted, **dict.fromkeys(narrow.columns, pa.string())}, complete=True)
            return self.stream(reduce(joined, in_order(self.inferred, self.blocks())), complete=True)

        return BatchStream(pa.schema([(column, wanted[column]) for column in named]), batches(), again, self.unseen)

    def blocks(self) -> Iterator[TextBlock]:
        """Return all rows after the header."""
        found = blocks(self.path, self.rows.dialect, self.rows.separator)
        _, first = split_header(next(found), self.rows.dialect, self.rows.separator)
        return chain([first], found)

    def inferred(self, block: TextBlock) -> ColumnTypes:
        """Return the types that fit one block."""
        try:
            return types_of(block, self.rows, self.fixed)
        except TypesTooNarrowError as narrow:  # text fits all values, so that only an unnamed column can fail
            raise self._unnamed(narrow, block) from narrow

    def fitting(self, block: TextBlock, types: ColumnTypes) -> pa.Table:
        """Convert one block without any loss."""
        try:
            table = converted(block, self.rows, types)
        except TypesTooNarrowError as narrow:
            raise (self._unnamed(narrow, block) if is_unnamed(narrow.columns[0]) else narrow) from narrow
        lossy = columns_that_lose(table, block, self.rows)
        if lossy:
            raise TypesTooNarrowError(lossy)
        self.unseen.difference_update([word for word in tuple(self.unseen) if self.rows.has_field(block.data, word)])
        return table

    def _unnamed(self, narrow: TypesTooNarrowError, block: TextBlock) -> MalformedDataError:
        column = narrow.columns[0]
        texts = converted(block, self.rows, dict.fromkeys(self.rows.names, pa.string()))[column]
        number = pc.index(texts.is_valid(), True).as_py()
        row = block.line_at(self.rows.fields_in(block.data).start_of_row(number))
        return unnamed_column(row, self.rows.names.index(column) + 1, "name every column")


def in_order(function: Callable[[TextBlock], Result], items: Iterable[TextBlock]) -> Iterator[Result]:
    """Apply a function to items in two threads, a few ahead, and yield the results in order."""
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(_WORKERS) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > _WORKERS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _format(name: str, endings: tuple[str, ...], delimiter: str) -> Format:
    return Format(name, endings, partial(delimited_stream, delimiter=delimiter), delimiter)


FORMATS = (_format("csv", (".csv", ".data"), ","), _format("tsv", (".tsv", ".tab"), "\t"))
