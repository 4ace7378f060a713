"""Parquet: one file, or a folder of part files that is one table, decoded in bounded memory."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from assay.data.contract import OTHER_FILES, common_schema, conform
from assay.data.schema import TableSchema
from assay.errors import EmptyDataError, MalformedDataError, SchemaDriftError, UnsupportedFormatError
from assay.reading.arrow_decoding import (
    BATCH_BYTES,
    BATCH_ROWS,
    arrow_errors,
    checked,
    fixed_bytes,
    is_text,
    value_lengths,
)
from assay.reading.batches import BatchStream, ReadOptions, with_plain_types
from assay.reading.defects import DecodedSize, Defect, defect_error, encrypted, named, require_few_columns
from assay.reading.registry import Format

_FORMAT = "Parquet"
_ENCRYPTED_MARK = b"PARE"


def file_stream(path: Path, count: DecodedSize) -> BatchStream:
    """Read one Parquet file, verifying page checksums where the file has them; rows are counted from 1.

    Raises:
        MalformedDataError: not Parquet, truncated, encrypted, a page's checksum is wrong, or too much inside.
    """
    _require_readable(path)
    with arrow_errors(_FORMAT), _opened(path) as file:
        _require_bounded(file.metadata, count)
        return BatchStream(file.schema_arrow, _batches(path, count))


def _opened(path: Path, texts: list[str] | None = None) -> pq.ParquetFile:
    return pq.ParquetFile(path, page_checksum_verification=True, memory_map=True, read_dictionary=texts)


def _batches(path: Path, count: DecodedSize) -> Iterator[pa.RecordBatch]:
    with arrow_errors(_FORMAT), _opened(path) as file:
        texts = [each.name for each in file.schema_arrow if is_text(each.type) or pa.types.is_string_view(each.type)]
        fixed = sum(fixed_bytes(dtype) for dtype in file.schema_arrow.types)
        row = 1
        with _opened(path, texts) as encoded:
            for group in range(file.num_row_groups):
                most = fixed + _longest_encoded(encoded, group, texts)
                rows = max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, most)))
                for batch in file.iter_batches(batch_size=rows, row_groups=[group]):
                    yield from checked(batch, count, row=row)
                    row += batch.num_rows
                _require_no_more_values(file, group)
        if row - 1 != file.metadata.num_rows:
            raise _wrong_counts(f"{row - 1:,} rows where {file.metadata.num_rows:,} are declared")


def _longest_encoded(encoded: pq.ParquetFile, group: int, texts: list[str]) -> int:
    """Return the most bytes that a row takes whose values are the longest entries of the dictionaries."""
    if not texts:
        return 0
    for batch in encoded.iter_batches(batch_size=1, row_groups=[group], columns=texts):
        lengths = [value_lengths(values.dictionary) for values in batch.columns if pa.types.is_dictionary(values.type)]
        return sum(int(each.max(initial=0)) for each in lengths if each is not None)
    return 0


def _require_readable(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_ENCRYPTED_MARK)))
        if file.read() == _ENCRYPTED_MARK:
            raise encrypted("an encrypted Parquet footer")


def _require_bounded(metadata: pq.FileMetaData, count: DecodedSize) -> None:
    require_few_columns(metadata.num_columns)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    # declared sizes are limited before anything is decoded; decoded ones are counted as well
    declared = DecodedSize(count.size)
    declared.add(metadata.num_rows, metadata.num_columns, sum(group.total_byte_size for group in groups))
    rows = sum(group.num_rows for group in groups)
    if rows != metadata.num_rows:
        raise _wrong_counts(f"row groups of {rows:,} rows where {metadata.num_rows:,} are declared")


def _require_no_more_values(file: pq.ParquetFile, group: int) -> None:
    """Refuse values beyond the row group's rows; call it after the group was decoded.

    Before that the columns' metadata may be damaged, and reading them then ends the process instead of raising.
    """
    declared = file.metadata.row_group(group)
    for number in range(declared.num_columns):
        repeats = file.metadata.schema.column(number).max_repetition_level > 0
        values = declared.column(number).num_values
        if not repeats and values != declared.num_rows:
            raise _wrong_counts(f"a column of {values:,} values in a row group of {declared.num_rows:,} rows")


def _wrong_counts(found: str) -> MalformedDataError:
    what, expected = "the file does not hold the rows that it declares", "an undamaged Parquet file"
    return defect_error(Defect.UNREADABLE, what, found=found, expected=expected, remedy="fetch it again")


_HIDDEN = (".", "_")
_TABLE_LOGS = {"_delta_log": "Delta", ".hoodie": "Hudi"}
_MISSING = "__HIVE_DEFAULT_PARTITION__"


def parquet_stream(path: Path, options: ReadOptions) -> BatchStream:
    """Read a Parquet file, or all part files of a folder in the order of their names.

    Each level of folders called `key=value` gives a column: whole numbers where all values are such without a leading
    zero and the column is not to be read as text, else texts. Files and folders whose names begin with `.` or `_` are
    skipped.

    Raises:
        MalformedDataError: a file is damaged, encrypted, or holds more than is allowed.
        SchemaDriftError: a part has other columns than the first.
        UnsupportedFormatError: the folder is a Delta or Hudi table, of which not every file is part.
        EmptyDataError: the folder holds no file.
    """
    if not path.is_dir():
        return file_stream(path, DecodedSize(path.stat().st_size))
    parts = _parts(path)
    count = DecodedSize(sum(part.path.stat().st_size for part in parts))
    keys = pa.schema([(key, _key_type(key, parts, options)) for key in parts[0].keys])
    schemas = [_opened_part(part, keys, DecodedSize(count.size)).schema for part in parts]
    dtypes = {name: [part.field(name).type for part in schemas if name in part.names] for name in schemas[0].names}
    common = common_schema(dtypes)
    schema = conform(schemas[0].empty_table(), common, where="", origin=OTHER_FILES).schema
    return BatchStream(schema, _batches_of_parts(parts, keys, common, count))


class _Part(NamedTuple):
    path: Path
    name: str
    """Below the folder, for messages."""
    keys: dict[str, str | None]


def _parts(folder: Path) -> list[_Part]:
    for log, kind in _TABLE_LOGS.items():
        if (folder / log).is_dir():
            raise UnsupportedFormatError(
                f"the folder is a {kind} table",
                found=f"{log}, which says which files are still part of the table",
                expected="a folder of Parquet files",
                remedy="export the table's present state to Parquet files",
            )
    relative = sorted(each.relative_to(folder) for each in folder.rglob("*") if each.is_file())
    visible = [each for each in relative if not any(part.startswith(_HIDDEN) for part in each.parts)]
    parts = [_Part(folder / each, f"/{each.as_posix()}", _keys(each)) for each in visible]
    if not parts:
        raise EmptyDataError("the folder holds no files", expected="Parquet files")
    for part in parts:
        if list(part.keys) != list(parts[0].keys):
            found, expected = ", ".join(part.keys) or "none", ", ".join(parts[0].keys) or "none"
            what = "a part lies in other key=value folders than the first"
            raise SchemaDriftError(what, where=part.name, found=f"keys: {found}", expected=f"keys: {expected}")
    return parts


def _keys(relative: Path) -> dict[str, str | None]:
    found = [folder.partition("=") for folder in relative.parent.parts if "=" in folder]
    return {unquote(key): None if value == _MISSING else unquote(value) for key, _, value in found}


def _key_type(key: str, parts: Sequence[_Part], options: ReadOptions) -> pa.DataType:
    values = {value for part in parts if (value := part.keys[key]) is not None}
    return pa.int64() if values and key not in options.texts and all(map(_is_whole, values)) else pa.string()


def _is_whole(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) <= 18 and str(int(text)) == text  # noqa: PLR2004 - int64


def _opened_part(part: _Part, keys: pa.Schema, count: DecodedSize) -> BatchStream:
    with named(part.name):
        stream = with_plain_types(file_stream(part.path, count))
        for key in keys.names:
            if key in stream.schema.names:
                what = "a key=value folder and the file within name the same column"
                raise defect_error(Defect.REPEATED_COLUMN, what, column=key, expected="unique names")
    scalars = [pa.scalar(_value(part.keys[key.name], key.type), key.type) for key in keys]
    schema = pa.schema([*stream.schema, *keys])

    def batches() -> Iterator[pa.RecordBatch]:
        with named(part.name):
            for batch in stream.batches:
                values = [pa.repeat(scalar, batch.num_rows) for scalar in scalars]
                yield pa.record_batch([*batch.columns, *values], schema=schema)

    return BatchStream(schema, batches())


def _value(text: str | None, dtype: pa.DataType) -> str | int | None:
    return int(text) if text is not None and pa.types.is_integer(dtype) else text


def _batches_of_parts(
    parts: Sequence[_Part], keys: pa.Schema, common: TableSchema, count: DecodedSize
) -> Iterator[pa.RecordBatch]:
    for part in parts:
        for batch in _opened_part(part, keys, count).batches:
            table = conform(pa.Table.from_batches([batch]), common, where=part.name, origin=OTHER_FILES)
            yield from table.to_batches()


FORMATS = (Format("parquet", (".parquet", ".pq"), parquet_stream, folders=True),)
