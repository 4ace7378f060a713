"""`backtest_report`: what the promotion policy would have decided in the past."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import dagster as dg

from assay.backtesting.policy import PastModel
from assay.backtesting.walk_forward import (
    CHAMPION,
    ON_ALARM,
    RETRAINED,
    STALE,
    BacktestReport,
    newest_row,
    replay,
    walk_forward_plot,
)
from assay.data.dataset import ValidatedDataset
from assay.markdown import escaped
from assay.results.evaluation_report import EvaluationReport
from assay.results.trained_model import TrainedModel
from assay.specs import PipelineSpec
from ml_assets.assets.metadata import images, records_table
from ml_assets.pipeline.asset import Stage, pipeline_asset
from ml_assets.pipeline.experiments import made_partitions
from ml_assets.pipeline.monitored_rows import rows_in_store
from ml_assets.pipeline.partitions import partitions_of, upstream_keys, window_mapping
from ml_assets.pipeline.run_context import asset_key
from ml_assets.pipeline.verified_inputs import verified_split
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.step_inputs import WindowCache
from resources.artifacts.store import ArtifactStore


def past_models(context: dg.AssetExecutionContext, spec: PipelineSpec, artifacts: ArtifactStore) -> Iterator[PastModel]:
    """Yield every evaluated model, oldest first, with the rows of its window; one window is in memory.

    Raises:
        GateError: a partition of a window is not covered by a passing receipt.
        ArtifactNotFoundError: a window's rows or a model's evaluation are missing.
    """
    partitions = partitions_of(spec)
    if partitions is None:
        return
    rows = _rows(spec, artifacts)
    for key in sorted(made_partitions(context, artifacts, spec, "evaluation_report")):
        window = rows.of(upstream_keys(window_mapping(spec), partitions, key))
        holdout = max(window)
        yield PastModel(
            partition=holdout,
            model=artifacts.load((spec.name, "trained_model"), key, TrainedModel),
            report=artifacts.load((spec.name, "evaluation_report"), key, EvaluationReport),
            split=verified_split(window, spec, context),
            newest_training_row=newest_row(
                (dataset for name, dataset in window.items() if name != holdout),
                spec.dataset.partitions.column,
                spec.dataset.partitions.timezone,
            ),
        )


def _rows(spec: PipelineSpec, artifacts: ArtifactStore) -> WindowCache:
    asset = (spec.name, "validated_dataset")

    def read(keys: Sequence[str]) -> dict[str, ValidatedDataset]:
        newest = artifacts.newest_of(asset, keys)
        return {str(key): artifacts.read(commit, ValidatedDataset) for key, commit in newest.items()}

    return WindowCache(read)


def backtest_metadata(report: BacktestReport, curve: bytes) -> dict[str, Any]:
    """Return the table of as-of times, the curve, and each policy in one number."""
    rows = [
        {
            "as of": result.partition,
            "rows": result.rows,
            STALE: result.stale,
            RETRAINED: result.retrained,
            CHAMPION: result.champion,
            "policy": result.verdict,
            "drifted": ", ".join(result.drifted),
            "drift alarm": ", ".join(result.drift_alarm),
            "degraded by": ", ".join(result.degraded_by),
            "performance alarm": result.performance_alarm,
            "estimated without labels": result.estimated,
            ON_ALARM: result.on_alarm,
            "training after an alarm": result.alarm_training,
            "newest training row": result.newest_training_row,
        }
        for result in report.results
    ]
    means = {f"mean {report.metric}, {name}": value for name, value in report.means().items() if value is not None}
    return {
        "as-of times": len(report.results),
        "promotions": report.promotions,
        "drift alarms": report.alarms,
        "performance alarms": sum(result.performance_alarm for result in report.results),
        "trainings after alarms": report.alarm_trainings,
        **means,
        "walk forward": records_table(rows),
        **images({"walk_forward": curve}),
    }


def check_of_future(report: BacktestReport) -> dg.AssetCheckResult:
    """Return whether every model was trained only on rows before its as-of time."""
    ahead = report.looking_ahead
    return dg.AssetCheckResult(
        check_name="no_row_after_as_of",
        passed=not ahead,
        severity=dg.AssetCheckSeverity.ERROR,
        description=escaped(f"trained on later rows as of {', '.join(ahead)}") if ahead else "no model saw later rows",
        metadata={
            "newest training row by as-of time": records_table(
                [
                    {
                        "as of": result.as_of,
                        "newest training row": result.newest_training_row or "no time column",
                        "newest training partition": max(result.trained_on, default="none"),
                    }
                    for result in report.results
                ]
            )
        },
    )


def build_backtest_report(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/backtest_report` with its check."""

    @pipeline_asset(
        spec,
        stage,
        description="Stale model, retrained model and champion on every partition that was materialised.",
        reads_all=("validated_dataset", "trained_model", "evaluation_report"),
        checks=[
            dg.AssetCheckSpec(
                "no_row_after_as_of",
                asset=asset_key(spec, stage.name),
                blocking=True,
                description="No model was trained on a row of its as-of time or later.",
            )
        ],
    )
    def backtest_report(
        context: dg.AssetExecutionContext,
        run_spec: PipelineSpec,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    ) -> Iterator[dg.Output[BacktestReport] | dg.AssetCheckResult]:
        artifacts = artifact_io_manager.artifacts()
        past = past_models(context, run_spec, artifacts)
        report = replay(past, run_spec, partial(rows_in_store, artifacts, run_spec))
        yield dg.Output(report, metadata=backtest_metadata(report, walk_forward_plot(report)))
        yield check_of_future(report)

    return backtest_report
