"""Codecs: datasets as Parquet with their schema, models in their safe format, specs as JSON; nothing is pickled."""

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue, ValidationError

from assay.data.dataset import Dataset, GateReceipt, ValidatedDataset
from assay.data.fingerprint import TableFingerprint, verify_columns
from assay.data.schema import TableSchema
from assay.errors import DigestMismatchError, MissingColumnError, StorageError, did_you_mean
from assay.results.bundle import bundle_digest
from assay.results.trained_model import TrainedModel
from assay.scratch import scratch_folder
from assay.specs.base import Spec, digest_of
from resources.store.commit_log import CommitReader


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value as files.

    Attributes:
        files: the files, by their name in the artifact.
        data_version: content digest of the value.
        fingerprint: of a table.
        receipt: of a validated table.
        properties: facts for the commit record.
    """

    files: Mapping[str, Path]
    data_version: str
    fingerprint: TableFingerprint | None = None
    receipt: GateReceipt | None = None
    properties: Mapping[str, JsonValue] = field(default_factory=dict)


class Codec(ABC):
    """Writes values of one kind to files, and reads them back."""

    name: str

    @abstractmethod
    def takes(self, kind: type[Any]) -> bool:
        """Whether values of this type are written and read here."""

    @abstractmethod
    def encode(self, value: Any, folder: Path) -> Encoded:
        """Write a value to files below a folder."""

    @abstractmethod
    def decode(self, reader: CommitReader, kind: type[Any], columns: Sequence[str] | None) -> Any:
        """Read a value back, verified.

        Raises:
            DigestMismatchError: the stored value differs from the published one.
        """


class ModelCodec(Codec):
    """`TrainedModel`."""

    name = "trained_model"

    def takes(self, kind: type[Any]) -> bool:
        """Take trained models."""
        return kind is TrainedModel

    def encode(self, value: TrainedModel, folder: Path) -> Encoded:
        """Write the bundle's files."""
        from assay.learning.persistence import save_model

        save_model(value, folder)
        files = {path.name: path for path in sorted(folder.iterdir())}
        facts = value.manifest
        return Encoded(
            files=files,
            data_version=bundle_digest(folder),
            properties={"family": facts.family, "train_rows": facts.train_rows},
        )

    def decode(self, reader: CommitReader, kind: type[Any], columns: Sequence[str] | None) -> TrainedModel:  # noqa: ARG002 - no columns here
        """Verify every file, then load the bundle."""
        from assay.learning.persistence import load_model

        with scratch_folder("model") as folder:
            for item in reader.commit.objects:
                (Path(folder) / item.name).write_bytes(reader.verified_bytes(item.name))
            return load_model(Path(folder))


def mlflow_run_of(reader: CommitReader) -> str:
    """Return the MLflow run of a stored model, by its manifest alone; empty where it has none.

    Raises:
        StorageError: the store failed, or the manifest is damaged.
    """
    return annotations_of(reader).get("mlflow_run_id", "")


def annotations_of(reader: CommitReader) -> dict[str, str]:
    """Return the annotations of a stored model, by its manifest alone.

    Raises:
        StorageError: the store failed, or the manifest is damaged.
    """
    found: dict[str, str] = json.loads(reader.verified_bytes("manifest.json")).get("annotations", {})
    return found


_FILE = "value.json"


class SpecCodec(Codec):
    """Every subclass of `Spec`; the requested type validates what is read."""

    name = "spec"

    def takes(self, kind: type[Any]) -> bool:
        """Take every spec."""
        return isinstance(kind, type) and issubclass(kind, Spec)

    def encode(self, value: Spec, folder: Path) -> Encoded:
        """Write indented JSON."""
        path = folder / _FILE
        path.write_text(value.model_dump_json(indent=2), encoding="utf-8")
        return Encoded(files={_FILE: path}, data_version=digest_of(value.identity()))

    def decode(self, reader: CommitReader, kind: type[Any], columns: Sequence[str] | None) -> Spec:  # noqa: ARG002 - no columns here
        """Read and validate."""
        data = reader.verified_bytes(_FILE)
        try:
            value: Spec = kind.model_validate_json(data)
        except ValidationError as error:
            raise StorageError(
                "the stored value is of another kind, or was written by another version of the code",
                where=reader.where,
                found=str(error.errors(include_url=False, include_input=False)[0]["msg"]),
                expected=kind.__name__,
                remedy="materialise the asset again",
            ) from error
        return value


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
        self, reader: CommitReader, kind: type[Any], columns: Sequence[str] | None
    ) -> Dataset | ValidatedDataset:
        """Read all columns or some; each is verified by its published digest.

        Raises:
            MissingColumnError: a requested column was not published.
            DigestMismatchError: the stored value differs from the published one.
        """
        about = json.loads(reader.verified_bytes(_ABOUT))
        schema = TableSchema.model_validate_json(json.dumps(about["schema"]))
        published = reader.commit.fingerprint
        if published is None:
            raise DigestMismatchError("the commit has no fingerprint", where=reader.where)
        _require_columns(columns, list(published.columns), reader.where)
        with reader.open(_DATA) as file:
            table = _read(file, list(published.columns) if columns is None else list(columns), reader.where)
        fresh = verify_columns(table, published, where=reader.where)
        kept = {"row_identity": schema.row_identity}
        schema = schema.project(tuple(table.column_names)).model_copy(update=kept)
        if kind is Dataset:
            return Dataset(table=table, schema=schema, fingerprint=fresh, notes=about["notes"])
        if reader.commit.receipt is None:
            raise DigestMismatchError("the commit has no gate receipt", where=reader.where)
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


def _read(source: Any, names: list[str], where: str) -> pa.Table:
    """Return these columns in this order, under the dtypes with which they were written."""
    try:
        file = pq.ParquetFile(source, page_checksum_verification=True)
        # to Parquet, `a` means `a.b` as well
        return _as_written(file.read(columns=names, use_threads=True).select(names), _written_schema(file))
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise DigestMismatchError(
            "the stored Parquet is damaged",
            where=where,
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


def _require_columns(columns: Sequence[str] | None, names: Sequence[str], where: str) -> None:
    for name in columns or ():
        if name not in names:
            raise MissingColumnError(
                "a requested column is not stored",
                where=where,
                found=f"{name}{did_you_mean(name, names)}",
                expected=f"one of {', '.join(names)}",
                remedy="correct the columns of the input",
            )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
