"""`drift_report` and `performance_report`: the current champion on the newest rows.

Both evaluate one window against the champion and compare it with the reports of earlier windows. They differ in what
they evaluate and show, which is what a `_Monitor` holds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.learning.splitting import labelled_rows
from assay.markdown import escaped
from assay.monitoring.drift import DriftReport, drift_table, evaluate_drift
from assay.monitoring.performance import PerformanceReport, evaluate_performance
from assay.promotion.champion import CurrentChampion
from assay.promotion.decision import NO_CHAMPION
from assay.specs import PipelineSpec
from ml_assets.assets.metadata import records_table, warning_check
from ml_assets.pipeline.asset import Stage, own_input, pipeline_asset
from ml_assets.pipeline.automation import when_rows_passed
from ml_assets.pipeline.current_champion import current_champion, earlier_reports, training_features
from ml_assets.pipeline.partitions import check_of_partitions
from ml_assets.pipeline.run_context import asset_key, partition_of
from ml_assets.pipeline.verified_inputs import require_receipt
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.store import ArtifactStore
from resources.mlflow.registry import MlflowModelRegistry

Report = TypeVar("Report", DriftReport, PerformanceReport)


@dataclass(frozen=True, slots=True)
class _Window:
    """The rows to evaluate, and what they are evaluated against."""

    context: dg.AssetExecutionContext
    dataset: ValidatedDataset
    champion: CurrentChampion
    artifacts: ArtifactStore
    spec: PipelineSpec

    @property
    def trained_on(self) -> bool:
        return self.champion.learned_from(partition_of(self.context), self.dataset, self.spec)

    def earlier(self, kind: type[Report], most: int) -> list[Report]:
        return earlier_reports(self.context, self.artifacts, kind, most)


@dataclass(frozen=True, slots=True)
class _Monitor(Generic[Report]):
    """What one of the two reports is.

    Attributes:
        description: of the asset.
        state_check: name and description of the check that fails in every window of an alarm.
        evaluate: makes the report of a window.
        metadata: shows a report.
        state: whether there is no alarm, and the sentence about it.
    """

    description: str
    state_check: tuple[str, str]
    evaluate: Callable[[_Window], Report]
    metadata: Callable[[Report], dict[str, Any]]
    state: Callable[[Report], tuple[bool, str]]

    def checks(self, spec: PipelineSpec, stage: Stage) -> list[dg.AssetCheckSpec]:
        """Return the state check, and the stage's alarm check, which fails in the first window of an alarm."""
        name, description = self.state_check
        asset, start = asset_key(spec, stage.name), "This window is not the first of an alarm."
        return [
            check_of_partitions(spec, name, asset, description=description),
            check_of_partitions(spec, stage.alarm_check, asset, description=start),
        ]

    def results(self, report: Report, stage: Stage) -> Iterator[dg.AssetCheckResult]:
        """Yield both checks; the second is the event that starts a training and a notification."""
        passed, sentence = self.state(report)
        yield warning_check(self.state_check[0], escaped(sentence), passed=passed)
        yield warning_check(stage.alarm_check, escaped(sentence), passed=not report.alarm_start)

    def not_evaluated(self, why: str, stage: Stage) -> Iterator[dg.AssetCheckResult]:
        """Yield both checks as passed, since there is nothing to evaluate."""
        for name in (self.state_check[0], stage.alarm_check):
            yield warning_check(name, escaped(f"not judged: {why}"), passed=True)


def build_monitoring_report(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/drift_report` or `<pipeline>/performance_report` with its checks."""
    monitor = _MONITORS[stage.name]

    @pipeline_asset(
        spec,
        stage,
        description=monitor.description,
        ins={"validated_dataset": own_input(spec, "validated_dataset")},
        checks=monitor.checks(spec, stage),
        automation_condition=when_rows_passed(spec),
        output_required=False,
    )
    def monitoring_report(
        context: dg.AssetExecutionContext,
        validated_dataset: ValidatedDataset,
        run_spec: PipelineSpec,
        model_registry: MlflowModelRegistry,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    ) -> Iterator[dg.Output[Any] | dg.AssetCheckResult]:
        require_receipt(validated_dataset, run_spec, partition_of(context))
        champion = current_champion(context, model_registry, run_spec)
        if champion is None:
            yield from monitor.not_evaluated(NO_CHAMPION, stage)
            return
        window = _Window(context, validated_dataset, champion, artifact_io_manager.artifacts(), run_spec)
        report = monitor.evaluate(window)
        yield dg.Output(report, metadata=monitor.metadata(report))
        yield from monitor.results(report, stage)

    return monitoring_report


def _drift(window: _Window) -> DriftReport:
    rule = window.spec.monitoring.drift if window.spec.monitoring else None
    return evaluate_drift(
        window.dataset.table,
        training_features(window.champion, window.artifacts, window.spec),
        window.champion,
        # windows that the champion was trained on do not count, and may stand between those that do
        window.earlier(DriftReport, 2 * rule.of_windows if rule else 0),
        window.spec,
        partition=partition_of(window.context) or "",
        trained_on=window.trained_on,
    )


def _drift_metadata(report: DriftReport) -> dict[str, Any]:
    return {
        "alarm begins": report.alarm_start,
        "alarm": ", ".join(report.alarm_features) or "none",
        "drifted in this window": ", ".join(report.drifted) or "none",
        "champion version": report.champion_version,
        "rows": f"{report.window_rows:,}, compared with {report.reference_rows:,} training rows of the champion",
        "windows": ", ".join(report.windows) or report.status,
        "features": records_table(drift_table(report)),
    }


def _drift_state(report: DriftReport) -> tuple[bool, str]:
    if not report.alarm_features:
        return True, f"no alarm ({report.status})"
    windows = f"in the windows {', '.join(report.windows)}" if any(report.windows) else "in the latest windows"
    return False, f"{', '.join(report.alarm_features)} drifted {windows}"


def _performance(window: _Window) -> PerformanceReport:
    rule = window.spec.monitoring.performance if window.spec.monitoring else None
    table, partition = window.dataset.table, partition_of(window.context)
    unlearned = window.champion.unlearned(table, partition, window.spec)
    rows = table.slice(0, 0) if unlearned is None else unlearned
    return evaluate_performance(
        window.champion,
        labelled_rows(rows, window.champion.model.manifest.features, window.spec),
        window.earlier(PerformanceReport, 2 * rule.alarm_windows if rule else 0),
        window.spec,
        partition=partition or "",
        trained_on=window.trained_on,
        learned_rows=None if unlearned is None else table.num_rows - rows.num_rows,
    )


def _performance_metadata(report: PerformanceReport) -> dict[str, Any]:
    before = report.value_at_promotion
    return {
        "alarm begins": report.alarm_start,
        f"{report.metric} now": report.value_now if report.value_now is not None else report.reason,
        f"{report.metric} at promotion": "not recorded" if before is None else before,
        "loss": "none" if report.loss is None else report.loss,
        "share of resamples that lose too much": "none" if report.share_worse is None else report.share_worse,
        "champion version": report.champion_version,
        "rows that the champion has not learned from": report.rows,
    }


def _performance_state(report: PerformanceReport) -> tuple[bool, str]:
    lost = f"the champion lost {report.loss:.4g} of {report.metric}" if report.loss is not None else "not judged"
    return not report.alarm, lost


_MONITORS: dict[str, _Monitor[Any]] = {
    "drift_report": _Monitor(
        description="Features of the newest rows, compared with those of the champion's training rows.",
        state_check=("features_not_drifted", "No feature drifted in enough of the latest windows."),
        evaluate=_drift,
        metadata=_drift_metadata,
        state=_drift_state,
    ),
    "performance_report": _Monitor(
        description="The champion's primary metric on the newest rows, compared with its value at promotion.",
        state_check=("performance_held", "The champion has not lost more than monitoring.performance.max_loss."),
        evaluate=_performance,
        metadata=_performance_metadata,
        state=_performance_state,
    ),
}
