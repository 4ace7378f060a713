"""One file, whatever its format, as a table.

Does not belong here: the formats themselves (`delimited`, `parquet`, `records`).
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from assay.errors import EmptyDataError, MalformedDataError, SourceError, SourceNotFoundError
from assay.ingestion.compression import decompressed
from assay.ingestion.delimited import read_delimited
from assay.ingestion.formats import COMPRESSED, detect_format
from assay.ingestion.parquet import read_parquet
from assay.ingestion.plain_types import with_plain_types
from assay.ingestion.records import read_json, read_jsonl
from assay.specs.dataset import CsvDialect, DataFormat

MAX_COLUMNS = 5_000
"""Wider tables come from a wrong delimiter or a transposed file."""

_READERS: dict[DataFormat, Callable[[Path, CsvDialect, str], pa.Table]] = {
    DataFormat.CSV: lambda path, dialect, name: read_delimited(path, dialect, name, delimiter=","),
    DataFormat.TSV: lambda path, dialect, name: read_delimited(path, dialect, name, delimiter="\t"),
    DataFormat.PARQUET: lambda path, _, name: read_parquet(path, name),
    DataFormat.JSON: lambda path, _, name: read_json(path, name),
    DataFormat.JSONL: lambda path, _, name: read_jsonl(path, name),
}


def read_table(path: Path, *, data_format: DataFormat, dialect: CsvDialect, name: str = "") -> pa.Table:
    """Read one local file.

    Args:
        path: the file.
        data_format: its format; `auto` goes by `name`.
        dialect: how delimited text is written; not used by other formats.
        name: how the file is called in messages, e.g. its URI; the path unless given.

    Returns:
        At least one row and one column, names unique.

    Raises:
        SourceError: missing file, unknown format, malformed bytes, unnamed, repeated or nested columns.
        EmptyDataError: no row.
    """
    name = name or str(path)
    if not path.is_file():
        raise SourceNotFoundError("the file does not exist", where=name, remedy="mend dataset.source")
    chosen = detect_format(name) if data_format is DataFormat.AUTO else data_format
    try:
        with tempfile.TemporaryDirectory() as folder:
            plain = decompressed(path, name, Path(folder)) if name.lower().endswith(COMPRESSED) else path
            if plain.stat().st_size == 0:
                raise EmptyDataError("the file is empty", where=name, found="0 bytes", expected="a header and rows")
            table = _READERS[chosen](plain, dialect, name)
    except OSError as error:
        raise SourceError("the file cannot be read", where=name, found=str(error.strerror or error)) from error
    _require_rows_and_names(table, name)
    return with_plain_types(table, name)


def _require_rows_and_names(table: pa.Table, name: str) -> None:
    names = table.column_names
    if len(names) > MAX_COLUMNS:
        raise MalformedDataError(
            "there are too many columns", where=name, found=str(len(names)), expected=f"at most {MAX_COLUMNS}"
        )
    if "" in names:
        raise MalformedDataError(
            "a column has no name", where=f"{name}, column {names.index('') + 1}", remedy="name every column"
        )
    repeated = sorted({column for column in names if names.count(column) > 1})
    if repeated:
        raise MalformedDataError(
            "column names are repeated", where=name, found=", ".join(repeated), expected="unique names"
        )
    if table.num_rows == 0:
        raise EmptyDataError(
            "there are no rows",
            where=name,
            found=f"a header of {len(names)} columns",
            expected="at least one row",
            remedy="check what wrote the file",
        )
