"""`assay ingest`: one file of any size, read strictly, as Parquet with its schema beside it."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.parquet as pq
from pydantic import ValidationError

from assay.credentials import redacted
from assay.data.schema import dtype_name
from assay.errors import (
    AssayError,
    EmptyDataError,
    MalformedDataError,
    SerialisedError,
    SourceError,
    SpecError,
    StorageError,
)
from assay.reading.batches import ReadOptions
from assay.reading.files import dialect_in
from assay.reading.sandbox import transcribe_in_child
from assay.reading.source_files import LocalFile, options_for, unchanged
from assay.scratch import scratch_folder
from assay.shell.file_summaries import ingested
from assay.shell.flags import Flags
from assay.shell.storage import Storage, joined, put_text
from assay.shell.terminal import show
from assay.specs.base import Spec
from assay.specs.complaints import explain
from assay.specs.dataset import CsvDialect, DataFormat, JsonOrient, ReadLimits

_LOG = logging.getLogger("assay.shell")
_SpecType = TypeVar("_SpecType", bound=Spec)


def run(flags: Flags, storage: Storage) -> tuple[bool, str]:
    """Read the file, write its rows and its schema; a refused file may be set aside."""
    options = read_options(flags)
    limits = _spec(ReadLimits, flags.limits, "--limits")
    with scratch_folder("ingest") as name:
        folder = Path(name)
        file = _only(storage.fetch(flags.source, folder), flags.source)
        target = Path(name, "rows.parquet")
        try:
            with unchanged(file.path, name=file.uri):
                transcribe_in_child(
                    file.path, options_for(file, options), target, name=file.uri, layout="parquet", limits=limits
                )
        except (MalformedDataError, EmptyDataError) as refusal:
            if flags.quarantine_uri is not None:
                _set_aside(file, refusal, flags.quarantine_uri, storage)
            raise
        schema = _schema(target, flags.source)
        # the rows come last, so that rows without a schema are never seen
        put_text(storage, json.dumps(schema, indent=2, ensure_ascii=False) + "\n", _schema_uri(flags))
        storage.put(target, flags.output_uri)
    show([ingested(redacted(flags.source), schema, redacted(flags.output_uri), redacted(_schema_uri(flags)))])
    return True, flags.output_uri


def read_options(flags: Flags, known: CsvDialect | None = None) -> ReadOptions:
    """Return how the flags say that a file is written; without them the known dialect, and what is detected."""
    if flags.dialect is None and known is not None:
        dialect = known.model_copy(update={"detect": True})
    else:
        dialect = _spec(CsvDialect, {"detect": True} if flags.dialect is None else flags.dialect, "--dialect")
    return ReadOptions(
        data_format=DataFormat(flags.data_format or DataFormat.AUTO),
        dialect=dialect,
        member=flags.member,
        sheet=flags.sheet,
        orient=JsonOrient(flags.orient) if flags.orient is not None else None,
    )


def _spec(kind: type[_SpecType], given: dict[str, Any] | None, flag: str) -> _SpecType:
    try:
        return kind.model_validate_json(json.dumps(given or {}))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        problem["loc"] = ("dataset", flag.removeprefix("--"), *problem["loc"])
        what, found, expected, remedy = explain(problem)
        raise SpecError(what, where=flag, found=found, expected=expected, remedy=remedy) from error


def _only(files: Sequence[LocalFile], uri: str) -> LocalFile:
    if len(files) > 1:
        raise SourceError(
            "ingest reads one file at a time",
            where=uri,
            found=f"{len(files)} files: {', '.join(file.uri for file in files[:5])}",
            remedy="run it once for each file",
        )
    return files[0]


def _schema(rows: Path, source: str) -> dict[str, Any]:
    """Return number, columns and dtypes of the rows, and the dialect of delimited text."""
    schema, facts = pq.read_schema(rows), pq.read_metadata(rows)
    dialect = dialect_in(schema.empty_table())
    return {
        "source": source,
        "rows": facts.num_rows,
        "columns": [{"name": field.name, "dtype": dtype_name(field.type)} for field in schema],
        "dialect": None if dialect is None else dialect.model_dump(mode="json"),
    }


def _schema_uri(flags: Flags) -> str:
    beside: str = flags.output_uri.removesuffix(".parquet") + ".schema.json"
    return flags.schema_uri or beside


def _set_aside(file: LocalFile, refusal: AssayError, folder: str, storage: Storage) -> None:
    """Keep the refused file and the refusal; a failure to keep them is logged and must not hide the refusal."""
    target = joined(folder, file.uri.rpartition("/")[2])
    record = {"source": file.uri} | asdict(SerialisedError.of(refusal))
    try:
        put_text(storage, json.dumps(record, indent=2, ensure_ascii=False) + "\n", f"{target}.refusal.json")
        storage.put(file.path, target)
    except StorageError as outage:
        _LOG.error("the refused file could not be set aside: %s", outage)
    else:
        _LOG.error("the refused file was set aside as %s", target)
