"""`drift_report`: the features of a partition beside those that the champion learned from.

Does not belong here: what counts as drift.
"""

from collections.abc import Iterator

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.monitoring.drift import DriftReport, evaluate_drift
from assay.specs import PipelineSpec
from ml_assets.pipeline.asset import Stage, own_input, pipeline_asset
from ml_assets.pipeline.automation import when_rows_passed
from ml_assets.pipeline.current_champion import NO_CHAMPION, current_champion, earlier_reports, training_features
from ml_assets.pipeline.partitions import check_of_partitions
from ml_assets.pipeline.run_context import asset_key, partition_of
from ml_assets.pipeline.verified_inputs import require_receipt
from ml_assets.presentation.monitoring import check_of_beginning, check_of_drift, drift_metadata, not_judged
from resources.artifacts.io_manager import ArtifactIOManager
from resources.mlflow.registry import MlflowModelRegistry


def build_drift_report(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/drift_report` with its checks."""
    key = asset_key(spec, stage.name)

    @pipeline_asset(
        spec,
        stage,
        description="Features of the newest rows beside those of the champion's training rows.",
        ins={"validated_dataset": own_input(spec, "validated_dataset")},
        checks=[
            check_of_partitions(
                spec, "features_not_drifted", key, description="No feature drifted in enough of the latest windows."
            ),
            check_of_partitions(spec, stage.alarm_check, key, description="This window is not the first of an alarm."),
        ],
        automation_condition=when_rows_passed(spec),
        output_required=False,
    )
    def drift_report(
        context: dg.AssetExecutionContext,
        validated_dataset: ValidatedDataset,
        run_spec: PipelineSpec,
        model_registry: MlflowModelRegistry,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    ) -> Iterator[dg.Output[DriftReport] | dg.AssetCheckResult]:
        artifacts = artifact_io_manager.artifacts()
        require_receipt(validated_dataset, run_spec, partition_of(context))
        champion = current_champion(context, model_registry, run_spec)
        if champion is None:
            yield from not_judged(NO_CHAMPION, "features_not_drifted", stage.alarm_check)
            return
        report = evaluate_drift(
            validated_dataset.table,
            training_features(champion, artifacts, run_spec),
            champion,
            earlier_reports(context, artifacts, DriftReport, _windows_before(run_spec)),
            run_spec,
            partition=partition_of(context) or "",
            trained_on=champion.learned_from(partition_of(context), validated_dataset, run_spec),
        )
        yield dg.Output(report, metadata=drift_metadata(report))
        yield (state := check_of_drift(report))
        yield check_of_beginning(stage.alarm_check, state, begins=report.alarm_start)

    return drift_report


def _windows_before(spec: PipelineSpec) -> int:
    rule = spec.monitoring.drift if spec.monitoring else None
    # windows that the champion learned from do not count, and may stand between those that do
    return 2 * rule.of_windows if rule else 0
