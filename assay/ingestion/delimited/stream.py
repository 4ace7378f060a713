"""A delimited file as a stream of batches: types from its beginning, and from all of it where that proves too narrow.

Does not belong here: how a block is cut, looked at and converted.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import MalformedDataError
from assay.ingestion.batches import BatchStream, ReadOptions, UnfitTypesError
from assay.ingestion.defects import Defect, malformed
from assay.ingestion.delimited.blocks import Block, blocks, require_known_encoding
from assay.ingestion.delimited.conversion import Rows, columns_that_lose, converted
from assay.ingestion.delimited.header import is_unnamed, split_header
from assay.ingestion.delimited.inference import Types, joined, settled, types_of

Result = TypeVar("Result")
_WORKERS = 2


def delimited_stream(path: Path, options: ReadOptions, name: str, *, delimiter: str) -> BatchStream:
    """Read delimited text; every row must have as many fields as the header.

    A number column stays text when a number would lose something of any value: a leading zero (`00123`, `0x1F`),
    digits beyond 64 bits, or a size beyond a float's. Quoted fields may hold delimiters and line breaks, and are never
    missing. An unnamed column is left out if it holds nothing. Types are those of the first block; where later rows do
    not fit them, `again` gives a stream whose types were inferred from all rows.

    Args:
        path: the file.
        options: its dialect, and columns frozen as text, which are read as text whatever they look like.
        name: how it is called in messages.
        delimiter: the format's own separator, where the dialect sets none.

    Raises:
        MalformedDataError: the rows are not what the dialect says; with the line.
        EmptyDataError: there is no header.
    """
    require_known_encoding(options.dialect, name)
    separator = options.dialect.delimiter or delimiter
    header, first = split_header(next(blocks(path, options.dialect, name)), options.dialect, separator, name)
    texts = {column for column, dtype in options.frozen.items() if pa.types.is_string(dtype)}
    fixed = {column: pa.null() if is_unnamed(column) else pa.string() for column in header.names}
    file = _File(
        path,
        Rows(header.names, header.written, options.dialect, separator, name),
        {column: dtype for column, dtype in fixed.items() if is_unnamed(column) or column in texts},
    )
    return file.stream(file.inferred(first), complete=False)


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    rows: Rows
    fixed: Types

    def stream(self, types: Types, *, complete: bool) -> BatchStream:
        """Convert all rows to these types; `complete` says that all rows were asked for them."""
        wanted = settled(types)
        named = [column for column in self.rows.names if not is_unnamed(column)]

        def batches() -> Iterator[pa.RecordBatch]:
            for table in in_order(lambda block: self.fitting(block, wanted), self.blocks()):
                yield from table.select(named).to_batches()

        def again(unfit: UnfitTypesError) -> BatchStream:
            if complete:  # a whole number beyond the floats among fractions: only text holds both
                return self.stream({**wanted, **dict.fromkeys(unfit.columns, pa.string())}, complete=True)
            return self.stream(reduce(joined, in_order(self.inferred, self.blocks())), complete=True)

        return BatchStream(pa.schema([(column, wanted[column]) for column in named]), batches(), again)

    def blocks(self) -> Iterator[Block]:
        """Return all rows, the header taken off."""
        found = blocks(self.path, self.rows.dialect, self.rows.name)
        _, first = split_header(next(found), self.rows.dialect, self.rows.separator, self.rows.name)
        return chain([first], found)

    def inferred(self, block: Block) -> Types:
        """Return the types that fit one block."""
        try:
            return types_of(block, self.rows, self.fixed)
        except UnfitTypesError as unfit:  # text fits everything, so that only an unnamed column can fail
            raise self._unnamed(unfit, block) from unfit

    def fitting(self, block: Block, types: Types) -> pa.Table:
        """Convert one block without any loss."""
        try:
            table = converted(block, self.rows, types)
        except UnfitTypesError as unfit:
            raise (self._unnamed(unfit, block) if is_unnamed(unfit.columns[0]) else unfit) from unfit
        lossy = columns_that_lose(table, block, self.rows)
        if lossy:
            raise UnfitTypesError(lossy)
        return table

    def _unnamed(self, unfit: UnfitTypesError, block: Block) -> MalformedDataError:
        column = unfit.columns[0]
        texts = converted(block, self.rows, dict.fromkeys(self.rows.names, pa.string()))[column]
        number = pc.index(texts.is_valid(), True).as_py()
        place = str(self.rows.names.index(column) + 1)
        return malformed(
            Defect.UNNAMED_COLUMN,
            "a column with values has no name",
            self.rows.name,
            row=block.line_at(self.rows.fields_in(block.data).start_of_row(number)),
            column=place,
            found=f"a value in column {place}",
            expected="a name for every column in the first row",
            remedy="name every column",
        )


def in_order(function: Callable[[Block], Result], items: Iterable[Block]) -> Iterator[Result]:
    """Apply a function to items in two threads, a few ahead, and yield the results in the items' order."""
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
