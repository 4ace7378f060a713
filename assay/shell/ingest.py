"""`assay ingest`: one file of any size, read strictly, as Parquet with its schema beside it."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from assay.credentials import redacted
from assay.data.schema import dtype_name
from assay.errors import (
    AssayError,
    EmptyDataError,
    MalformedDataError,
    SerialisedError,
    SourceError,
    StorageError,
)
from assay.reading.files import dialect_in
from assay.reading.sandbox import transcribe_in_child
from assay.reading.source_files import LocalFile, options_for, read_options_of, unchanged
from assay.scratch import scratch_folder
from assay.shell.file_summaries import ingested
from assay.shell.flags import Flags
from assay.shell.pipeline_flags import reading_of
from assay.shell.storage import Storage, joined, put_text
from assay.shell.terminal import show

_LOG = logging.getLogger("assay.shell")


def run(flags: Flags, storage: Storage) -> tuple[bool, str]:
    """Read the file, write its rows and its schema; a refused file may be set aside."""
    source, reading = reading_of(flags, flags.data_source)
    options, limits = read_options_of(reading), reading.limits
    with scratch_folder("ingest") as name:
        folder = Path(name)
        file = _only(storage.fetch(source, folder), source)
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
        schema = _schema(target, source)
        # the rows come last, so that rows without a schema are never seen
        put_text(storage, json.dumps(schema, indent=2, ensure_ascii=False) + "\n", _schema_uri(flags))
        storage.put(target, flags.output_uri)
    show([ingested(redacted(source), schema, redacted(flags.output_uri), redacted(_schema_uri(flags)))])
    return True, flags.output_uri


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
