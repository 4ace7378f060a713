"""What every reader of a format takes and gives: options in, a stream of record batches out.

A stream keeps memory bounded whatever the file's size.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa

from assay.specs.dataset import CsvDialect, DataFormat


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read one file.

    Attributes:
        data_format: the format; `auto` goes by the file's name.
        dialect: how delimited text is written; not used by other formats.
        member: the file inside an archive, where it holds several.
        sheet: the sheet of a workbook, where it has several.
        frozen: dtypes of columns as frozen for the schema's version; a text format reads what is frozen as text as
            text, whatever it looks like. Columns that are not named are inferred.
    """

    data_format: DataFormat = DataFormat.AUTO
    dialect: CsvDialect = field(default_factory=CsvDialect)
    member: str | None = None
    sheet: str | None = None
    frozen: Mapping[str, pa.DataType] = field(default_factory=dict)


class UnfitTypesError(Exception):
    """Later rows do not fit the types of a stream; never leaves `assay.reading`."""

    def __init__(self, columns: Iterable[str]) -> None:
        self.columns = tuple(columns)
        super().__init__(", ".join(self.columns))


@dataclass(frozen=True, slots=True)
class BatchStream:
    """Rows of one file, to be gone through once.

    Attributes:
        schema: names and dtypes; every batch has them.
        batches: the rows, some ten thousands at a time. Going on raises what is wrong with later rows, and
            `UnfitTypesError` where the types were guessed from the first rows.
        again: a stream over all rows with wider types, after an `UnfitTypesError`.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    again: "Callable[[UnfitTypesError], BatchStream] | None" = None


Reader: TypeAlias = Callable[[Path, ReadOptions, str], BatchStream]
"""From a local, unpacked file, options, and the name for messages. Opening reads what the schema needs and no more."""
