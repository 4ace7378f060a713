"""`batch_predictions`: the champion's predictions, recomputed for a new champion and for new rows.

A gate stands on both sides. Rows of `scoring.source` are judged by the rules that apply without a target, and the
predictions by `scoring.checks`, before anything is published: what is refused leaves the last good predictions.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from assay.data.dataset import Dataset, ValidatedDataset
from assay.errors import DataContractError
from assay.features.feature_set import feature_set_of
from assay.gate.report import RuleResult
from assay.gate.rows_to_predict import check_rows_to_predict, require_rows_to_predict
from assay.markdown import escaped
from assay.prediction.checks import CHECKS, PredictionCheck
from assay.prediction.scoring import require_good, score
from assay.promotion.champion import CurrentChampion
from assay.promotion.decision import NO_CHAMPION
from assay.reading.source_files import read_rows
from assay.specs import PipelineSpec
from assay.specs.dataset import DatasetSpec
from assay.specs.operations import PredictionChecks
from assay.specs.references import Reference
from ml_assets.assets.metadata import dataset_metadata
from ml_assets.dagster_internals import step_of
from ml_assets.pipeline.asset import Stage, pipeline_asset
from ml_assets.pipeline.automation import Condition, when_champion_or_rows_changed, when_rows_passed
from ml_assets.pipeline.current_champion import current_champion, newest_validated, validated_partition
from ml_assets.pipeline.earlier_rows import earlier_partitions
from ml_assets.pipeline.gate_step import as_of
from ml_assets.pipeline.partitions import keys_of, partitions_of
from ml_assets.pipeline.run_context import asset_key, location_of, partition_of
from resources.artifacts.io_manager import ArtifactIOManager
from resources.asset_rows import source_files, stored_version
from resources.data_sources import DataSources
from resources.joined_sources import joined_rows
from resources.mlflow.registry import MlflowModelRegistry
from resources.schema_registry import SchemaRegistry, of_schema_version

ROWS = "rows_to_predict_pass"
"""The check of the rows; those of the predictions are named by `assay.prediction.checks`."""


def _description(spec: PipelineSpec) -> str:
    which = "each partition of the" if _is_partitioned(spec) else "the newest"
    return f"Predictions of the champion for {which} validated rows, or for those of scoring.source."


def build_batch_predictions(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/batch_predictions`, of the newest rows or of each partition."""

    @pipeline_asset(
        spec,
        stage,
        description=_description(spec),
        **_reads(spec),
        checks=check_specs(spec, asset_key(spec, stage.name)),
        automation_condition=_condition(spec),
        output_required=False,
    )
    def batch_predictions(
        context: dg.AssetExecutionContext,
        run_spec: PipelineSpec,
        model_registry: MlflowModelRegistry,
        data_sources: DataSources,
        schema_registry: SchemaRegistry,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    ) -> Iterator[dg.Output[Dataset] | dg.AssetCheckResult]:
        champion = current_champion(context, model_registry, run_spec)
        if champion is None:
            for name in (ROWS, *CHECKS):
                yield dg.AssetCheckResult(check_name=name, passed=True, description=f"not judged: {NO_CHAMPION}")
            return
        where, judged = location_of(context), tuple[RuleResult, ...]()
        if run_spec.scored_dataset is None:
            validated = _validated_rows(context, run_spec, artifact_io_manager)
            table, schema = validated.table, validated.schema
        else:
            rows = _source_rows(context, run_spec, champion, data_sources, schema_registry, artifact_io_manager)
            judged = check_rows_to_predict(rows, run_spec, as_of=as_of(context))
            table, schema = rows.table, rows.schema
        yield _check_of_rows(judged)
        require_rows_to_predict(judged, where=where)
        scored = score(champion.model, table, schema, run_spec, where=where)
        blocks = _checks_of(run_spec).severity == "block"
        yield from (_check_of_predictions(check, blocks=blocks) for check in scored.checks)
        if blocks:
            require_good(scored.checks, where=where)
        yield dg.Output(
            scored.dataset,
            data_version=dg.DataVersion(scored.dataset.fingerprint.digest),
            metadata={
                "champion version": champion.version,
                **dataset_metadata(scored.dataset, [], run_spec.dataset.partitions.timezone),
            },
        )

    return batch_predictions


def check_specs(spec: PipelineSpec, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """Return the check of the rows, and one for each check of the predictions."""
    blocks = _checks_of(spec).severity == "block"
    partitions = partitions_of(spec) if _is_partitioned(spec) else None
    described = {ROWS: "The rows to predict pass the rules that apply without a target."}
    described |= {name: str(rule.__doc__).partition("\n")[0] for name, rule in CHECKS.items()}
    return [
        dg.AssetCheckSpec(
            name, asset=asset, description=text, blocking=blocks or name == ROWS, partitions_def=partitions
        )
        for name, text in described.items()
    ]


def _is_partitioned(spec: PipelineSpec) -> bool:
    return spec.scoring is not None and spec.scoring.partitioned


def _reads(spec: PipelineSpec) -> dict[str, Any]:
    """Return what the asset reads, which decides whether it has partitions."""
    dataset = spec.scored_dataset
    reference = dataset.reference if dataset is not None else None
    mapping = None if _is_partitioned(spec) else dg.AllPartitionMapping()
    others = [] if reference is None else [dg.AssetDep(dg.AssetKey(reference.key), partition_mapping=mapping)]
    if not _is_partitioned(spec):
        return {"reads_all": ("champion_model", "validated_dataset"), "reads_others": others}
    return {"reads_all": ("champion_model",), "reads_same": ("validated_dataset",), "reads_others": others}


def _condition(spec: PipelineSpec) -> Condition | None:
    """Return when predictions are made; partitions of a source of their own are asked for by people and schedules."""
    if not _is_partitioned(spec):
        return when_champion_or_rows_changed(spec)
    return when_rows_passed(spec) if spec.scored_dataset is None else None


def _validated_rows(
    context: dg.AssetExecutionContext, spec: PipelineSpec, artifacts: ArtifactIOManager
) -> ValidatedDataset:
    if _is_partitioned(spec):
        return validated_partition(artifacts.artifacts(), spec, partition_of(context))
    return newest_validated(context, artifacts.artifacts(), spec)


def _checks_of(spec: PipelineSpec) -> PredictionChecks:
    return spec.scoring.checks if spec.scoring is not None else PredictionChecks()


def _check_of_rows(results: Sequence[RuleResult]) -> dg.AssetCheckResult:
    failed = [result for result in results if not result.passed]
    blocks = any(result.severity == "ERROR" for result in failed)
    found = "; ".join(f"{result.name}: {result.observed}" for result in failed)
    return dg.AssetCheckResult(
        check_name=ROWS,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if blocks or not failed else dg.AssetCheckSeverity.WARN,
        description=escaped(found or ("every rule holds" if results else "the rows passed the gate before")),
        metadata={"rules": len([result for result in results if result.configured]), "failed rules": len(failed)},
    )


def _check_of_predictions(check: PredictionCheck, *, blocks: bool) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=check.name,
        passed=check.passed,
        severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
        description=escaped(f"found {check.found}; expected {check.expected}" if check.expected else check.found),
        metadata=dict(check.numbers),
    )


def _source_rows(
    context: dg.AssetExecutionContext,
    spec: PipelineSpec,
    champion: CurrentChampion,
    sources: DataSources,
    registry: SchemaRegistry,
    artifacts: ArtifactIOManager,
) -> Dataset:
    """Return the rows of `scoring.source`, read under the schema version that the champion learned from.

    Raises:
        DataContractError: that version has no frozen schema any more, so the dtypes of its columns are not known.
    """
    where, partition = location_of(context), partition_of(context)
    spec = of_schema_version(spec, champion.model.manifest.features.version)
    version, dataset = registry.version_of(spec), spec.scored_dataset
    if dataset is None or version.frozen() is None:
        raise DataContractError(
            "the schema that the champion's rows were read by is not there",
            where=where,
            found=f"no frozen schema of version {spec.dataset.schema_version}",
            expected="the reviewed schema file, or the store's copy",
            remedy="restore the schema file, or train and promote a model under the present schema version",
        )

    def stored(read: DatasetSpec, key: str | None = None) -> Dataset | None:
        return _stored_rows(context, spec, read.reference, key, artifacts)

    with source_files(dataset, partition, sources, stored(dataset, partition)) as files:
        rows = read_rows(files, dataset, version, labelled=False, where=where).partition(partition, where=where)
    if spec.features is not None:
        joined = {
            join.table: joined_rows(spec, join, partition, sources, registry, stored(join.dataset), where=where)
            for join in spec.features.other_sources
        }
        version_of_features = registry.feature_version_of(spec)
        earlier = earlier_partitions(context, spec, artifacts, partition)
        rows = feature_set_of(
            rows, spec, version_of_features, labelled=False, where=where, joined=joined, earlier=earlier
        ).rows
    return rows


def _stored_rows(
    context: dg.AssetExecutionContext,
    spec: PipelineSpec,
    reference: Reference | None,
    partition: str | None,
    artifacts: ArtifactIOManager,
) -> Dataset | None:
    """Return the stored rows of an asset: of a partition, or of the newest one; None of a source of another kind."""
    store = artifacts.artifacts()
    if reference is None:
        return None
    keys = [partition] if partition is not None else reversed(keys_of(context, partitions_of(spec)))
    version = stored_version(store, reference, keys)
    artifacts.add_version(context.run.run_id, step_of(context).key, version)
    return store.read(version, Dataset)
