"""Metadata that several assets share: tables, previews of datasets, and images."""

import base64
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from assay.credentials import redacted
from assay.data.dataset import Dataset
from assay.data.frozen_schema import FrozenSchema
from assay.data.schema import ColumnSchema
from assay.markdown import escaped
from assay.specs import PipelineSpec

READ_FROM = "read from"
_PREVIEW_ROWS = 5
_MASK = "***"
_LONGEST = 80


def dataset_metadata(
    dataset: Dataset, uris: Sequence[str], zone: str, *, frozen_before: bool | None = None
) -> dict[str, Any]:
    """Return sources, roles, notes and a preview with columns marked `pii` masked, times in the partitions' zone.

    Args:
        dataset: the rows.
        uris: where they were read; empty for rows that were made.
        zone: of the partitions.
        frozen_before: whether the schema was frozen before these rows were read; None for rows that have none.
    """
    return {
        **({READ_FROM: redacted("\n".join(uris))} if uris else {}),
        "columns and roles": records_table(
            [
                {"column": column.name, "dtype": column.dtype, "role": str(column.role)}
                | ({} if frozen_before is None else {"role is": reason_of_role(column, frozen_before=frozen_before)})
                for column in dataset.schema.columns
            ]
        ),
        "preview": records_table(_preview(dataset, zone)),
        "time zone": zone,
        **{f"note/{name}": text for name, text in dataset.notes.items()},
    }


def reason_of_role(column: ColumnSchema, *, frozen_before: bool) -> str:
    """Return why a column has its role: the file declares it, the schema has it, or these rows suggest it."""
    if column.reason in {"declared", "target"}:
        return column.reason
    return "frozen" if frozen_before else "inferred"


def classes_metadata(spec: PipelineSpec, frozen: FrozenSchema | None) -> dict[str, str]:
    """Return what is known of the classes; a regression has none."""
    if frozen is None or not spec.task.is_classification:
        return {}
    if frozen.classes is None:
        return {"classes": "not frozen, so any label passes: add `classes: [...]` to the schema file"}
    return {"classes": ", ".join(map(str, frozen.classes))}


def records_table(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue | dg.TextMetadataValue:
    """Return rows as a table of the UI; long text is cut, and missing cells are empty."""
    if not rows:
        return dg.MetadataValue.text("no rows")
    columns = [dg.TableColumn(name) for name in rows[0]]
    records = [dg.TableRecord({name: _cell(value) for name, value in row.items()}) for row in rows]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns))


def _preview(dataset: Dataset, zone: str) -> list[dict[str, Any]]:
    masked = {column.name for column in dataset.schema.columns if column.pii}
    rows = dataset.table.slice(0, _PREVIEW_ROWS).to_pylist()
    return [{name: _MASK if name in masked else _in_zone(value, zone) for name, value in row.items()} for row in rows]


def _in_zone(value: Any, zone: str) -> Any:
    is_moment = isinstance(value, dt.datetime) and value.tzinfo is not None
    return value.astimezone(ZoneInfo(zone)) if is_moment else value


def _cell(value: Any) -> str | int | float | bool:
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(f"{value:.6g}")
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def image(png: bytes, title: str) -> dg.MarkdownMetadataValue:
    """Return a PNG as markdown that the UI renders."""
    return dg.MetadataValue.md(f"![{escaped(title)}](data:image/png;base64,{base64.b64encode(png).decode()})")


def images(plots: dict[str, bytes]) -> dict[str, dg.MarkdownMetadataValue]:
    """Return one metadata entry for each plot, named `plot/<name>`."""
    return {f"plot/{name}": image(png, name) for name, png in plots.items()}


def warning_check(name: str, description: str, *, passed: bool) -> dg.AssetCheckResult:
    """Return the result of a check that warns; texts of data in the description are escaped by the caller."""
    return dg.AssetCheckResult(
        check_name=name, passed=passed, severity=dg.AssetCheckSeverity.WARN, description=description
    )
