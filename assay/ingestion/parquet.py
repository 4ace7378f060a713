"""Parquet: one file, or a folder of part files that is one table.

Does not belong here: decoding (`parquet_file`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa

from assay.errors import EmptyDataError, SchemaDriftError, UnsupportedFormatError
from assay.ingestion.batches import BatchStream, ReadOptions
from assay.ingestion.bounds import Unfolded
from assay.ingestion.defects import Defect, malformed
from assay.ingestion.parquet_file import file_stream
from assay.ingestion.plain_types import with_plain_types
from assay.tables.contract import OTHER_FILES, common_column, conform
from assay.tables.schema import TableSchema

_HIDDEN = (".", "_")
_TABLE_LOGS = {"_delta_log": "Delta", ".hoodie": "Hudi"}
_MISSING = "__HIVE_DEFAULT_PARTITION__"


def parquet_stream(path: Path, options: ReadOptions, name: str) -> BatchStream:
    """Read a Parquet file, or all part files of a folder in the order of their names.

    Folders called `key=value` give a column each: whole numbers where all values are and lose no leading zero, else
    texts. Files and folders whose names begin with `.` or `_` are none of the data.

    Args:
        path: the file or folder.
        options: columns frozen as text keep a folder's values as text.
        name: how it is called in messages.

    Raises:
        MalformedDataError: a file is damaged, encrypted, or unfolds to more than is allowed.
        SchemaDriftError: a part has other columns than the first.
        UnsupportedFormatError: the folder is a Delta or Hudi table, whose files are not all of it.
        EmptyDataError: the folder holds no file.
    """
    if not path.is_dir():
        return file_stream(path, name, Unfolded(name, path.stat().st_size))
    parts = _parts(path, name)
    count = Unfolded(name, sum(part.path.stat().st_size for part in parts))
    keys = _key_types(parts, options)
    schemas = [_opened(part, keys, Unfolded(part.name, count.size)).schema for part in parts]
    dtypes = {name: [part.field(name).type for part in schemas if name in part.names] for name in schemas[0].names}
    common = TableSchema(version=1, columns=tuple(common_column(column, dtypes[column]) for column in dtypes))
    schema = conform(schemas[0].empty_table(), common, where=name, against=OTHER_FILES).schema
    return BatchStream(schema, _batches(parts, keys, common, count))


@dataclass(frozen=True, slots=True)
class _Part:
    path: Path
    name: str
    keys: dict[str, str | None]


def _parts(folder: Path, name: str) -> list[_Part]:
    for log, kind in _TABLE_LOGS.items():
        if (folder / log).is_dir():
            raise UnsupportedFormatError(
                f"the folder is a {kind} table",
                where=name,
                found=f"{log}, which says what of the files is still part of the table",
                expected="a folder of Parquet files",
                remedy="export the table's present state to Parquet files",
            )
    relative = sorted(each.relative_to(folder) for each in folder.rglob("*") if each.is_file())
    visible = [each for each in relative if not any(part.startswith(_HIDDEN) for part in each.parts)]
    parts = [_Part(folder / each, f"{name.rstrip('/')}/{each.as_posix()}", _keys(each)) for each in visible]
    if not parts:
        raise EmptyDataError("the folder holds no files", where=name, expected="Parquet files")
    for part in parts:
        if list(part.keys) != list(parts[0].keys):
            found, expected = ", ".join(part.keys) or "none", ", ".join(parts[0].keys) or "none"
            what = "a part lies in other key=value folders than the first"
            raise SchemaDriftError(what, where=part.name, found=f"keys: {found}", expected=f"keys: {expected}")
    return parts


def _keys(relative: Path) -> dict[str, str | None]:
    found = [folder.partition("=") for folder in relative.parent.parts if "=" in folder]
    return {unquote(key): None if value == _MISSING else unquote(value) for key, _, value in found}


def _key_types(parts: Sequence[_Part], options: ReadOptions) -> pa.Schema:
    return pa.schema([(key, _key_type(key, parts, options)) for key in parts[0].keys])


def _key_type(key: str, parts: Sequence[_Part], options: ReadOptions) -> pa.DataType:
    frozen = options.frozen.get(key)
    values = {value for part in parts if (value := part.keys[key]) is not None}
    if values and (frozen is None or not pa.types.is_string(frozen)) and all(map(_is_whole, values)):
        return pa.int64()
    return pa.string()


def _is_whole(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) <= 18 and str(int(text)) == text  # noqa: PLR2004 - int64


def _opened(part: _Part, keys: pa.Schema, count: Unfolded) -> BatchStream:
    stream = with_plain_types(file_stream(part.path, part.name, count), part.name)
    for key in keys.names:
        if key in stream.schema.names:
            what = "a key=value folder and the file within name the same column"
            raise malformed(Defect.REPEATED_COLUMN, what, part.name, column=key, expected="unique names")
    scalars = [pa.scalar(_value(part.keys[key.name], key.type), key.type) for key in keys]

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in stream.batches:
            values = [pa.repeat(scalar, batch.num_rows) for scalar in scalars]
            yield pa.record_batch([*batch.columns, *values], schema=schema)

    schema = pa.schema([*stream.schema, *keys])
    return BatchStream(schema, batches())


def _value(text: str | None, dtype: pa.DataType) -> str | int | None:
    return int(text) if text is not None and pa.types.is_integer(dtype) else text


def _batches(parts: Sequence[_Part], keys: pa.Schema, common: TableSchema, count: Unfolded) -> Iterator[pa.RecordBatch]:
    for part in parts:
        for batch in _opened(part, keys, count).batches:
            table = conform(pa.Table.from_batches([batch]), common, where=part.name, against=OTHER_FILES)
            yield from table.to_batches()
