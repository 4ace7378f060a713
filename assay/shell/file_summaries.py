"""What `assay ingest` and `assay predict` end with: what was read, and what was written where."""

from collections.abc import Mapping, Sequence
from typing import Any

from assay.results.trained_model import ModelManifest
from assay.shell.summary import Fact, Summary
from assay.specs.dataset import CsvDialect

_MOST_COLUMNS = 12


def ingested(source: str, schema: Mapping[str, Any], written: str, schema_uri: str) -> Summary:
    """Return the table of one file that was read.

    Args:
        source: address of the file, without credentials.
        schema: rows, columns with dtypes, and dialect, as they are written beside the rows.
        written: address of the rows.
        schema_uri: address of the schema.
    """
    columns = [f"{each['name']} {each['dtype']}" for each in schema["columns"]]
    left = len(columns) - _MOST_COLUMNS
    shown = [*columns[:_MOST_COLUMNS], *([f"and {left} more"] if left > 0 else [])]
    facts = [Fact("rows", f"{schema['rows']:,}"), Fact("columns", f"{len(columns)}: {', '.join(shown)}")]
    facts += [Fact("dialect", dialect)] if (dialect := _dialect(schema["dialect"])) else []
    return Summary(f"{source}, read", tuple(facts), addresses=(Fact("rows", written), Fact("schema", schema_uri)))


def predicted(model_uri: str, manifest: ModelManifest, rows: int, columns: Sequence[str], written: str) -> Summary:
    """Return the table of the predictions of some files.

    Args:
        model_uri: as it was given.
        manifest: of the model.
        rows: predicted rows.
        columns: of the written file; none where there was no row.
        written: its address.
    """
    trained = f" trained on {manifest.partition}" if manifest.partition else ""
    facts = [
        Fact("rows", f"{rows:,}"),
        Fact("model", f"{model_uri}: {manifest.family} of pipeline {manifest.pipeline}{trained}"),
    ]
    facts += [Fact("columns", ", ".join(columns))] if columns else []
    return Summary(f"{manifest.target}, predicted", tuple(facts), addresses=(Fact("predictions", written),))


def _dialect(dialect: Mapping[str, Any] | None) -> str:
    """Return what was detected of delimited text, without what is as it is by default."""
    usual = CsvDialect().model_dump(mode="json")
    return ", ".join(f"{name} {value!r}" for name, value in (dialect or {}).items() if value != usual.get(name))
