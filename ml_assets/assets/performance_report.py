"""`performance_report`: the champion on newly labelled rows, beside what it did when it was promoted.

Does not belong here: what counts as degraded.
"""

from collections.abc import Iterator

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.learning.splitting import labelled_rows
from assay.monitoring.performance import PerformanceReport, evaluate_performance
from assay.specs import PipelineSpec
from ml_assets.pipeline.asset import Stage, own_input, pipeline_asset
from ml_assets.pipeline.automation import when_rows_passed
from ml_assets.pipeline.current_champion import NO_CHAMPION, current_champion, earlier_reports
from ml_assets.pipeline.partitions import check_of_partitions
from ml_assets.pipeline.run_context import asset_key, partition_of
from ml_assets.pipeline.verified_inputs import require_receipt
from ml_assets.presentation.monitoring import check_of_beginning, check_of_performance, not_judged, performance_metadata
from resources.artifacts.io_manager import ArtifactIOManager
from resources.mlflow.registry import MlflowModelRegistry


def build_performance_report(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/performance_report` with its checks."""
    key = asset_key(spec, stage.name)

    @pipeline_asset(
        spec,
        stage,
        description="The champion's primary metric on the newest rows beside that of its promotion.",
        ins={"validated_dataset": own_input(spec, "validated_dataset")},
        checks=[
            check_of_partitions(
                spec,
                "performance_held",
                key,
                description="The champion has not lost more than monitoring.performance.max_loss.",
            ),
            check_of_partitions(spec, stage.alarm_check, key, description="This window is not the first of an alarm."),
        ],
        automation_condition=when_rows_passed(spec),
        output_required=False,
    )
    def performance_report(
        context: dg.AssetExecutionContext,
        validated_dataset: ValidatedDataset,
        run_spec: PipelineSpec,
        model_registry: MlflowModelRegistry,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    ) -> Iterator[dg.Output[PerformanceReport] | dg.AssetCheckResult]:
        artifacts = artifact_io_manager.artifacts()
        require_receipt(validated_dataset, run_spec, partition_of(context))
        champion = current_champion(context, model_registry, run_spec)
        if champion is None:
            yield from not_judged(NO_CHAMPION, "performance_held", stage.alarm_check)
            return
        report = evaluate_performance(
            champion,
            labelled_rows(validated_dataset.table, champion.model.manifest.features, run_spec),
            earlier_reports(context, artifacts, PerformanceReport, _windows_before(run_spec)),
            run_spec,
            partition=partition_of(context) or "",
            trained_on=champion.learned_from(partition_of(context), validated_dataset, run_spec),
        )
        yield dg.Output(report, metadata=performance_metadata(report))
        yield (state := check_of_performance(report))
        yield check_of_beginning(stage.alarm_check, state, begins=report.alarm_start)

    return performance_report


def _windows_before(spec: PipelineSpec) -> int:
    rule = spec.monitoring.performance if spec.monitoring else None
    return 2 * rule.alarm_windows if rule else 0
