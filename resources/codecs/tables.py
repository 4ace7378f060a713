"""Datasets as Parquet, with the schema beside it.

Does not belong here: reading users' Parquet (`assay.ingestion`).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from assay.errors import DigestMismatchError
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
        pq.write_table(value.table, data, compression="zstd", write_page_checksum=True)
        notes = value.notes if isinstance(value, Dataset) else {}
        about.write_text(json.dumps({"schema": value.schema.model_dump(mode="json"), "notes": notes}), encoding="utf-8")
        verify_columns(_readable(pq.ParquetFile(data), None, str(data)), value.fingerprint, where="before publishing")
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
        """Read all columns or some; each is verified by its published digest."""
        about = json.loads(reader.verified_bytes(_ABOUT))
        schema = TableSchema.model_validate_json(json.dumps(about["schema"]))
        with reader.open(_DATA) as file:
            table = _readable(_opened(file, reader.place), columns, reader.place)
        published = reader.commit.fingerprint
        if published is None:
            raise DigestMismatchError("the commit has no fingerprint", where=reader.place)
        fresh = verify_columns(table, published, where=reader.place)
        schema = schema.project(tuple(table.column_names))
        if kind is Dataset:
            return Dataset(table=table, schema=schema, fingerprint=fresh, notes=about["notes"])
        if reader.commit.receipt is None:
            raise DigestMismatchError("the commit has no gate receipt", where=reader.place)
        return ValidatedDataset(table=table, schema=schema, fingerprint=fresh, receipt=reader.commit.receipt)


def _opened(file: Any, place: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file, page_checksum_verification=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(place, error) from error


def _readable(file: pq.ParquetFile, columns: Sequence[str] | None, place: str) -> pa.Table:
    try:
        return file.read(columns=None if columns is None else list(columns), use_threads=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(place, error) from error


def _damaged(place: str, error: Exception) -> DigestMismatchError:
    return DigestMismatchError(
        "the stored Parquet is damaged",
        where=place,
        found=str(error).splitlines()[0][:200],
        remedy="materialise the asset again, or restore an earlier version",
    )
