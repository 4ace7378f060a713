"""What a case of the corpus is: how its file is made, and the one answer that is right."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import pyarrow as pa

from assay.reading.batches import ReadOptions
from assay.reading.defects import Defect
from assay.specs.dataset import CsvDialect, DataFormat, ReadLimits


@dataclass(frozen=True, slots=True)
class Exact:
    """Every value, dtype and the order; built when asked for, as some are large."""

    table: Callable[[], pa.Table]


@dataclass(frozen=True, slots=True)
class Refused:
    """A typed error; the parts of its location that are given must match."""

    code: str
    defect: Defect | None = None
    row: int | None = None
    column: str = ""
    byte: int | None = None


Content: TypeAlias = str | bytes | Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class HostileCase:
    """One file.

    Attributes:
        name: what it is, in words.
        filename: what the file is called.
        content: its bytes; None is a file that does not exist.
        expected: the answer.
        options: how it is read.
        confined: whether it is only ever read in a child, since it exhausts memory or time.
        limits: of that child.
    """

    name: str
    filename: str
    content: Content | None
    expected: Exact | Refused
    options: ReadOptions = field(default_factory=ReadOptions)
    confined: bool = False
    limits: ReadLimits = field(default_factory=ReadLimits)

    def build(self) -> bytes | None:
        """Return the file's bytes, the same ones on every call."""
        if callable(self.content):
            return self.content()
        return self.content.encode() if isinstance(self.content, str) else self.content


def exact(columns: Mapping[str, Any] | Callable[[], pa.Table] | None = None, /, **named: Any) -> Exact:
    """Return the answer of these columns: lists of Python values, or Arrow arrays where the dtype is not plain."""
    if callable(columns):
        return Exact(columns)
    given = dict(columns or named)
    return Exact(lambda: pa.table({name: _array(values) for name, values in given.items()}))


def defect(defect: Defect, *, row: int | None = None, column: str = "", byte: int | None = None) -> Refused:
    """Return the expected error for bytes with a defect."""
    return Refused("data_malformed", defect, row, column, byte)


EMPTY = Refused("data_empty")
UNSUPPORTED = Refused("format_unsupported")


def delimited(
    name: str, content: Content, expected: Exact | Refused, filename: str = "rows.csv", **dialect: Any
) -> HostileCase:
    """Return a case of delimited text; further keys are the dialect's."""
    options = ReadOptions(DataFormat.AUTO, CsvDialect(**dialect))
    return HostileCase(name, filename, content, expected, options)


def in_child(case: HostileCase) -> HostileCase:
    """Return the case as one that is only ever read in a child."""
    return replace(case, confined=True)


def _array(values: Any) -> pa.Array:
    return values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
