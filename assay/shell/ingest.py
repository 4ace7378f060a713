"""`assay ingest`: one file of any size, read strictly, as Parquet with its schema beside it.

Does not belong here: readers; what columns mean to a model.
"""

import argparse
import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.parquet as pq
from pydantic import ValidationError

from assay.data.schema import dtype_name
from assay.errors import (
    AssayError,
    EmptyDataError,
    MalformedDataError,
    SourceError,
    SpecError,
    StorageError,
    did_you_mean,
)
from assay.reading.batches import ReadOptions
from assay.reading.files import dialect_in
from assay.reading.sandbox import transcribe_in_child
from assay.reading.source_files import LocalFile
from assay.shell.storage import Storage, joined, put_text
from assay.specs.base import Spec
from assay.specs.dataset import CsvDialect, DataFormat, ReadLimits
from assay.specs.loading import explain

_LOG = logging.getLogger("assay.shell")
_SpecType = TypeVar("_SpecType", bound=Spec)


def run(flags: argparse.Namespace, storage: Storage) -> tuple[bool, str]:
    """Read the file, write its rows and its schema; a refused file may be set aside.

    Args:
        flags: the command's.
        storage: for source and results.

    Returns:
        True, and the address of the rows.

    Raises:
        AssayError: a flag is not acceptable, the file is refused, or nothing can be written.
    """
    options = _options(flags)
    limits = _spec(ReadLimits, flags.limits, "--limits")
    with tempfile.TemporaryDirectory(prefix="assay-ingest-") as name:
        folder = Path(name)
        file = _only(storage.fetch(flags.source, folder), flags.source)
        target = Path(name, "rows.parquet")
        try:
            transcribe_in_child(file.path, options, target, name=file.uri, layout="parquet", limits=limits)
        except (MalformedDataError, EmptyDataError) as refusal:
            if flags.quarantine_uri is not None:
                _set_aside(file, refusal, flags.quarantine_uri, storage)
            raise
        schema = _schema(target, flags.source)
        # the rows come last: whoever finds them finds their schema
        put_text(storage, json.dumps(schema, indent=2, ensure_ascii=False) + "\n", _schema_uri(flags))
        storage.put(target, flags.output_uri)
    _LOG.info("wrote %s rows and %d columns", f"{schema['rows']:,}", len(schema["columns"]))
    return True, flags.output_uri


def _options(flags: argparse.Namespace) -> ReadOptions:
    given = {"detect": True} if flags.dialect is None else flags.dialect
    return ReadOptions(
        data_format=_format(flags.data_format or DataFormat.AUTO),
        dialect=_spec(CsvDialect, given, "--dialect"),
        member=flags.member,
        sheet=flags.sheet,
    )


def _format(name: str) -> DataFormat:
    try:
        return DataFormat(name)
    except ValueError as error:
        raise SpecError(
            f"there is no format '{name}'{did_you_mean(name, list(DataFormat))}",
            where="--data-format",
            found=name,
            expected=f"one of {', '.join(DataFormat)}",
        ) from error


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
    """Return what the rows are: names, dtypes, number, and how delimited text turned out to be written."""
    schema, facts = pq.read_schema(rows), pq.read_metadata(rows)
    dialect = dialect_in(schema.empty_table())
    return {
        "source": source,
        "rows": facts.num_rows,
        "columns": [{"name": field.name, "dtype": dtype_name(field.type)} for field in schema],
        "dialect": None if dialect is None else dialect.model_dump(mode="json"),
    }


def _schema_uri(flags: argparse.Namespace) -> str:
    beside: str = flags.output_uri.removesuffix(".parquet") + ".schema.json"
    return flags.schema_uri or beside


def _set_aside(file: LocalFile, refusal: AssayError, folder: str, storage: Storage) -> None:
    """Keep the refused file and the refusal; that they cannot be kept must not hide the refusal itself."""
    target = joined(folder, file.uri.rpartition("/")[2])
    told = {
        "source": file.uri,
        "code": refusal.code,
        "defect": getattr(refusal, "defect", ""),
        "what": refusal.what,
        "where": refusal.where,
        "found": refusal.found,
        "expected": refusal.expected,
        "remedy": refusal.remedy,
    }
    try:
        put_text(storage, json.dumps(told, indent=2, ensure_ascii=False) + "\n", f"{target}.refusal.json")
        storage.put(file.path, target)
    except StorageError as outage:
        _LOG.error("the refused file could not be set aside: %s", outage)
    else:
        _LOG.error("the refused file was set aside as %s", target)
