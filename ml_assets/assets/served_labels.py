"""`served_labels`: every version of each label of served predictions, as the readings of the source brought them."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pyarrow as pa

from assay.counting import counted
from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import ColumnSchema, TableSchema, dtype_name
from assay.errors import SourceNotFoundError
from assay.live.label_versions import LabelReading, empty_versions, labels_of, nothing_read, with_reading
from assay.specs import PipelineSpec
from assay.specs.dataset import ColumnRole
from ml_assets.assets.metadata import warning_check
from ml_assets.pipeline.asset import Stage, pipeline_asset
from ml_assets.pipeline.automation import when_labels_may_be_new
from ml_assets.pipeline.gate_step import as_of
from ml_assets.pipeline.run_context import asset_key, location_of
from ml_assets.pipeline.upstream import LABELS, labels_input, note_rows
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.store import ArtifactStore
from resources.data_sources import DataSources
from resources.joined_sources import joined_rows
from resources.schema_registry import SchemaRegistry

_CHECK = "labels_agree"


def build_served_labels(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/served_labels` with its check."""

    @pipeline_asset(
        spec,
        stage,
        description="All versions of the labels of served predictions; a reading adds what is new and removes nothing.",
        whole=True,
        checks=[
            dg.AssetCheckSpec(
                _CHECK,
                asset=asset_key(spec, stage.name),
                description="Each row of the labels has a key and a label, and no key has two labels of one time.",
            )
        ],
        upstream=labels_input(spec),
        automation_condition=when_labels_may_be_new(spec),
    )
    def served_labels(
        context: dg.AssetExecutionContext,
        run_spec: PipelineSpec,
        data_sources: DataSources,
        schema_registry: SchemaRegistry,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
        **upstream: Any,
    ) -> Iterator[dg.Output[Dataset] | dg.AssetCheckResult]:
        earlier = label_versions(artifact_io_manager.artifacts(), run_spec)
        rows = _rows(context, earlier, run_spec, data_sources, schema_registry, upstream.get(LABELS))
        if rows is None:
            reading = nothing_read(earlier)
        else:
            note_rows(context, artifact_io_manager, labels_of(run_spec).dataset.reference, rows.fingerprint.digest)
            reading = with_reading(earlier, rows.table, labels_of(run_spec), run_spec, as_of(context))
        dataset = _dataset(reading.versions)
        yield dg.Output(
            dataset,
            data_version=dg.DataVersion(dataset.fingerprint.digest),
            metadata={
                "labels read": reading.rows,
                "new": reading.added,
                "corrected": reading.corrected,
                "versions of labels": reading.versions.num_rows,
                "without key or label": reading.unusable,
                "in conflict": reading.conflicts,
            },
        )
        yield _check_of(reading)

    return served_labels


def label_versions(artifacts: ArtifactStore, spec: PipelineSpec) -> pa.Table:
    """Return the versions of labels that are stored; none before the first reading."""
    stored = artifacts.newest_value(tuple(asset_key(spec, "served_labels").path), None, Dataset)
    return empty_versions(spec) if stored is None else stored.table


def _rows(
    context: dg.AssetExecutionContext,
    earlier: pa.Table,
    spec: PipelineSpec,
    sources: DataSources,
    registry: SchemaRegistry,
    value: Any,
) -> Dataset | None:
    """Return the rows of the labels; None where a source is not there yet, before the first ones.

    Raises:
        SourceError: the source cannot be read, or is gone.
        SchemaDriftError: it differs from its frozen schema.
    """
    labels = labels_of(spec)
    try:
        return joined_rows(spec, labels, None, sources, registry, value, where=location_of(context))
    except SourceNotFoundError:
        if earlier.num_rows:
            raise
        context.log.info("there are no labels yet: %s", labels.source)
        return None


def _dataset(versions: pa.Table) -> Dataset:
    columns = tuple(
        ColumnSchema(name=field.name, dtype=dtype_name(field.type), role=ColumnRole.IGNORED)
        for field in versions.schema
    )
    return Dataset(
        table=versions,
        schema=TableSchema(version=1, columns=columns),
        fingerprint=fingerprint(versions),
        notes={"rows": str(versions.num_rows)},
    )


def _check_of(reading: LabelReading) -> dg.AssetCheckResult:
    problems = []
    if reading.unusable:
        problems.append(f"{counted(reading.unusable, 'row')} without a key or a label")
    if reading.conflicts:
        problems.append(f"{counted(reading.conflicts, 'key')} with two labels of one time, neither of which counts")
    read = f"{counted(reading.rows, 'row')} read, {reading.added:,} new, {reading.corrected:,} corrected"
    found = "; ".join(problems) or read
    return warning_check(_CHECK, found, passed=not problems)
