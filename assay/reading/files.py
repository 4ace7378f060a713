"""One file, whatever its format, as an Arrow or Parquet file of plain types, in bounded memory."""

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa

from assay.errors import EmptyDataError, SourceError, SourceNotFoundError
from assay.reading.arrow_files import Layout, table_sink
from assay.reading.batches import BatchStream, Reader, ReadOptions, UnfitTypesError
from assay.reading.compression import detect_format, unpacked
from assay.reading.defects import Defect, malformed
from assay.reading.delimited.detection import detected
from assay.reading.delimited.header import MAX_COLUMNS
from assay.reading.delimited.stream import delimited_stream
from assay.reading.feather import feather_stream
from assay.reading.json_records import json_stream, jsonl_stream
from assay.reading.parquet import parquet_stream
from assay.reading.plain_types import with_plain_types
from assay.reading.workbook import workbook_stream
from assay.specs.dataset import CsvDialect, DataFormat

_DIALECT = "assay.dialect"
_DELIMITERS = {DataFormat.CSV: ",", DataFormat.TSV: "\t"}
READERS: Mapping[DataFormat, Reader] = MappingProxyType(
    {
        DataFormat.CSV: partial(delimited_stream, delimiter=_DELIMITERS[DataFormat.CSV]),
        DataFormat.TSV: partial(delimited_stream, delimiter=_DELIMITERS[DataFormat.TSV]),
        DataFormat.PARQUET: parquet_stream,
        DataFormat.JSON: json_stream,
        DataFormat.JSONL: jsonl_stream,
        DataFormat.FEATHER: feather_stream,
        DataFormat.XLSX: workbook_stream,
    }
)


def transcribe(path: Path, options: ReadOptions, target: Path, *, name: str, layout: Layout) -> None:
    """Read a file and write its rows, at least one, to `target`; nothing is there unless all rows are.

    Args:
        path: a local file, or a folder of Parquet files.
        options: how to read it.
        target: the file to write.
        name: how the source is called in messages, e.g. its URI.
        layout: of the target.

    Raises:
        SourceError: missing file, unknown format, malformed bytes, unnamed, repeated or nested columns.
        EmptyDataError: no row.
    """
    asked = options.dialect
    if not path.exists():
        raise SourceNotFoundError("the file does not exist", where=name, remedy="mend dataset.source")
    try:
        with tempfile.TemporaryDirectory() as folder:
            plain, inner = unpacked(path, name, Path(folder), options.member)
            chosen = options.data_format
            if chosen is DataFormat.AUTO:
                chosen = detect_format(inner, plain, where=name)
            if plain.is_file() and plain.stat().st_size == 0:
                raise EmptyDataError("the file is empty", where=name, found="0 bytes", expected="a header and rows")
            options = _with_dialect(plain, options, name, chosen)
            found = {} if options.dialect == asked else {_DIALECT: options.dialect.model_dump_json()}
            _write(READERS[chosen](plain, options, name), target, name, layout, found)
    except OSError as error:
        raise SourceError("the file cannot be read", where=name, found=str(error.strerror or error)) from error


def read_table(path: Path, options: ReadOptions, *, name: str = "") -> pa.Table:
    """Read one local file in this process; trusts it to be neither hostile nor huge.

    Args:
        path: the file.
        options: how to read it.
        name: how the file is called in messages; the path unless given.

    Returns:
        At least one row and one column, names unique.

    Raises:
        SourceError: as `transcribe`.
        EmptyDataError: no row.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "table.arrow"
        transcribe(path, options, target, name=name or str(path), layout="arrow")
        return mapped_table(target)


def mapped_table(path: Path) -> pa.Table:
    """Return an Arrow file's table without reading it; it stays usable when the file's name is gone."""
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


def dialect_in(table: pa.Table) -> CsvDialect | None:
    """Return the dialect that was detected when a transcribed table was read; None where none was."""
    told = (table.schema.metadata or {}).get(_DIALECT.encode())
    return CsvDialect.model_validate_json(told) if told else None


def _with_dialect(path: Path, options: ReadOptions, name: str, data_format: DataFormat) -> ReadOptions:
    if not options.dialect.detect or data_format not in _DELIMITERS:
        return options
    return replace(options, dialect=detected(path, options.dialect, name, delimiter=_DELIMITERS[data_format]))


def _write(stream: BatchStream, target: Path, name: str, layout: Layout, notes: Mapping[str, str]) -> None:
    while True:
        plain = with_plain_types(stream, name)
        _require_usable_names(plain.schema, name)
        try:
            with table_sink(target, plain.schema.with_metadata(dict(notes)), layout) as sink:
                for batch in plain.batches:
                    sink.write(batch)
                if sink.rows == 0:
                    raise _no_rows(plain.schema, name)
        except UnfitTypesError as unfit:
            if stream.again is None:
                raise
            stream = stream.again(unfit)
        else:
            return


def _require_usable_names(schema: pa.Schema, name: str) -> None:
    names = schema.names
    if len(names) > MAX_COLUMNS:
        raise malformed(
            Defect.TOO_MANY_COLUMNS,
            "there are too many columns",
            name,
            found=str(len(names)),
            expected=f"at most {MAX_COLUMNS:,}",
        )
    if not names:
        raise EmptyDataError("there are no columns", where=name, expected="at least one column")
    if "" in names:
        place = str(names.index("") + 1)
        raise malformed(Defect.UNNAMED_COLUMN, "a column has no name", name, column=place, remedy="name every column")
    repeated = [column for column, times in Counter(names).items() if times > 1]
    if repeated:
        raise malformed(
            Defect.REPEATED_COLUMN,
            "column names are repeated",
            name,
            column=repeated[0],
            found=", ".join(repeated),
            expected="unique names",
        )


def _no_rows(schema: pa.Schema, name: str) -> EmptyDataError:
    return EmptyDataError(
        "there are no rows",
        where=name,
        found=f"a header of {len(schema.names)} columns",
        expected="at least one row",
        remedy="check what wrote the file",
    )
