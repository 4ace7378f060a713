"""Datasets as Parquet, with the schema beside it.

Does not belong here: reading users' Parquet (`assay.ingestion`).
"""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from assay.errors import DigestMismatchError, MissingColumnError, StorageError, did_you_mean
from assay.tables.dataset import Dataset, ValidatedDataset
from assay.tables.fingerprint import verify_columns
from assay.tables.schema import TableSchema
from resources.codecs.interface import ArtifactReader, Codec, Encoded

_DATA, _ABOUT = "data.parquet", "schema.json"


class TableCodec(Codec):
    """`Dataset` and `ValidatedDataset`; the receipt stands in the commit itself."""

    name = "table"

    def takes(self, kind: type[Any]) -> bool:
        """Take both kinds of dataset."""
        return kind in {Dataset, ValidatedDataset}

    def encode(self, value: Dataset | ValidatedDataset, folder: Path) -> Encoded:
        """Write zstd Parquet with page checksums, and check that it reads back."""
        data, about = folder / _DATA, folder / _ABOUT
        _written(value.table, data)
        notes = value.notes if isinstance(value, Dataset) else {}
        about.write_text(json.dumps({"schema": value.schema.model_dump(mode="json"), "notes": notes}), encoding="utf-8")
        verify_columns(_read(data, value.table.column_names, str(data)), value.fingerprint, where="before publishing")
        receipt = value.receipt if isinstance(value, ValidatedDataset) else None
        return Encoded(
            files={_DATA: data, _ABOUT: about},
            data_version=value.fingerprint.digest,
            fingerprint=value.fingerprint,
            receipt=receipt,
            properties={"rows": value.table.num_rows, "columns": value.table.num_columns},
        )

    def decode(
        self, reader: ArtifactReader, kind: type[Any], columns: Sequence[str] | None
    ) -> Dataset | ValidatedDataset:
        """Read all columns or some; each is verified by its published digest.

        Raises:
            MissingColumnError: a column that was asked for was not published.
            DigestMismatchError: what is stored is not what was published.
        """
        about = json.loads(reader.verified_bytes(_ABOUT))
        schema = TableSchema.model_validate_json(json.dumps(about["schema"]))
        published = reader.commit.fingerprint
        if published is None:
            raise DigestMismatchError("the commit has no fingerprint", where=reader.place)
        _require_columns(columns, list(published.columns), reader.place)
        with reader.open(_DATA) as file:
            table = _read(file, list(published.columns) if columns is None else list(columns), reader.place)
        fresh = verify_columns(table, published, where=reader.place)
        schema = schema.project(tuple(table.column_names))
        if kind is Dataset:
            return Dataset(table=table, schema=schema, fingerprint=fresh, notes=about["notes"])
        if reader.commit.receipt is None:
            raise DigestMismatchError("the commit has no gate receipt", where=reader.place)
        return ValidatedDataset(table=table, schema=schema, fingerprint=fresh, receipt=reader.commit.receipt)


def _written(table: pa.Table, path: Path) -> None:
    try:
        pq.write_table(table, path, compression="zstd", write_page_checksum=True, use_compliant_nested_type=False)
    except pa.ArrowException as error:
        raise StorageError(
            "the table cannot be stored as Parquet",
            where=f"columns of types {', '.join(sorted({str(kind) for kind in table.schema.types}))}",
            found=_first_line(error),
            remedy="cast the column, or leave it out of the dataset",
        ) from error


def _read(source: Any, names: list[str], place: str) -> pa.Table:
    """Return these columns in this order, under the dtypes with which they were written."""
    try:
        file = pq.ParquetFile(source, page_checksum_verification=True)
        # to Parquet, `a` means `a.b` as well
        return _as_written(file.read(columns=names, use_threads=True).select(names), _written_schema(file))
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise DigestMismatchError(
            "the stored Parquet is damaged",
            where=place,
            found=_first_line(error),
            remedy="materialise the asset again, or restore an earlier version",
        ) from error


def _written_schema(file: pq.ParquetFile) -> pa.Schema:
    """Return the Arrow schema that the writer put into the footer."""
    stored = base64.b64decode(file.metadata.metadata[b"ARROW:schema"])
    return pa.ipc.read_schema(pa.py_buffer(stored))


def _as_written(table: pa.Table, written: pa.Schema) -> pa.Table:
    """Return the columns under their own dtypes again; Parquet has no seconds and few dictionaries."""
    for position, name in enumerate(table.column_names):
        found, dtype = table.field(position).type, written.field(name).type
        if pa.types.is_dictionary(dtype) and not pa.types.is_dictionary(found):
            dtype = dtype.value_type
        if str(found) != str(dtype):  # equality passes over the names in nested types
            table = table.set_column(position, name, table.column(position).cast(dtype))
    return table


def _require_columns(columns: Sequence[str] | None, names: Sequence[str], place: str) -> None:
    for name in columns or ():
        if name not in names:
            raise MissingColumnError(
                "a column that was asked for is not stored",
                where=place,
                found=f"{name}{did_you_mean(name, names)}",
                expected=f"one of {', '.join(names)}",
                remedy="mend the columns of the input",
            )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
