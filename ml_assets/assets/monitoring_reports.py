"""`drift_report` and `performance_report`: the current champion on the newest rows.

Both evaluate one window against the champion and compare it with the reports of earlier windows. They differ in what
they evaluate and show, which is what a `_Monitor` holds.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.markdown import escaped
from assay.monitoring.alarms import windows_needed
from assay.monitoring.drift import DriftReport, drift_advice, drift_table, evaluate_drift
from assay.monitoring.performance import PerformanceReport, evaluate_performance, performance_advice
from assay.monitoring.reference import MonitoredWindow, Reference
from assay.promotion.champion import CurrentChampion
from assay.promotion.decision import NO_CHAMPION
from assay.specs import PipelineSpec
from ml_assets.assets.metadata import records_table, warning_check
from ml_assets.pipeline.asset import Stage, own_input, pipeline_asset
from ml_assets.pipeline.automation import when_rows_passed
from ml_assets.pipeline.current_champion import current_champion, earlier_reports
from ml_assets.pipeline.monitored_rows import monitored_window, reference_of
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

    def rows(self) -> MonitoredWindow:
        return monitored_window(self.context, self.dataset, self.champion, self.artifacts, self.spec)

    def reference(self, *, required: bool) -> Reference:
        return reference_of(self.champion, self.artifacts, self.spec, required=required)

    def earlier(self, kind: type[Report], counted: int) -> list[Report]:
        return earlier_reports(self.context, self.artifacts, kind, windows_needed(self.spec, counted))


@dataclass(frozen=True, slots=True)
class _Monitor(Generic[Report]):
    """What one of the two reports is.

    Attributes:
        description: of the asset.
        state_check: name and description of the check that fails in every window of an alarm.
        evaluate: makes the report of a window.
        metadata: shows a report.
        state: whether there is no alarm, and the sentence about it.
        further: names and descriptions of checks that only warn, and each one's state.
    """

    description: str
    state_check: tuple[str, str]
    evaluate: Callable[[_Window], Report]
    metadata: Callable[[Report], dict[str, Any]]
    state: Callable[[Report], tuple[bool, str]]
    further: Mapping[tuple[str, str], Callable[[Report], tuple[bool, str]]] = field(default_factory=dict)

    def checks(self, spec: PipelineSpec, stage: Stage) -> list[dg.AssetCheckSpec]:
        """Return the state check, those of the events that notify and that retrain, and those that only warn."""
        named = (
            self.state_check,
            (stage.alarm_check, "No alarm begins, or begins again, in this window."),
            (stage.training_check, "The training of this window answers no alarm."),
            *self.further,
        )
        asset = asset_key(spec, stage.name)
        return [check_of_partitions(spec, name, asset, description=text) for name, text in named]

    def results(self, report: Report, stage: Stage) -> Iterator[dg.AssetCheckResult]:
        """Yield all checks; the second is the event that starts a notification, the third that starts a training."""
        passed, sentence = self.state(report)
        yield warning_check(self.state_check[0], escaped(sentence), passed=passed)
        yield warning_check(stage.alarm_check, escaped(sentence), passed=not report.alarm_start)
        yield warning_check(stage.training_check, escaped(sentence), passed=not report.training_due)
        for (name, _), state in self.further.items():
            passed, sentence = state(report)
            yield warning_check(name, escaped(sentence), passed=passed)

    def not_evaluated(self, why: str, stage: Stage) -> Iterator[dg.AssetCheckResult]:
        """Yield all checks as passed, since there is nothing to evaluate."""
        for name in (self.state_check[0], stage.alarm_check, stage.training_check, *(name for name, _ in self.further)):
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
    earlier = window.earlier(DriftReport, rule.of_windows if rule else 0)
    return evaluate_drift(window.rows(), window.reference(required=True), earlier, window.spec)


def _drift_metadata(report: DriftReport) -> dict[str, Any]:
    return {
        "alarm begins": report.alarm_start,
        "alarm": ", ".join(report.alarm_features) or "none",
        "drifted in this window": ", ".join(report.drifted) or "none",
        "what to do": drift_advice(report),
        "training due": report.training_due,
        "champion version": report.champion_version,
        "same season": report.season_partition or "not known",
        "target of": report.target_partition or "these rows",
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
    earlier = window.earlier(PerformanceReport, rule.alarm_windows if rule else 0)
    return evaluate_performance(window.rows(), window.reference(required=False), earlier, window.spec)


def _performance_metadata(report: PerformanceReport) -> dict[str, Any]:
    before, estimate, calibration = report.value_at_promotion, report.estimate, report.calibration
    return {
        "alarm begins": report.alarm_start,
        f"{report.metric} now": report.value_now if report.value_now is not None else report.reason,
        f"{report.metric} at promotion": "not recorded" if before is None else before,
        f"{report.metric} of the baseline": "not known" if report.baseline_now is None else report.baseline_now,
        "loss": "none" if report.loss is None else report.loss,
        "interval of the loss": _between(report.loss_lower, report.loss_upper),
        "probability that the loss is too large": "none" if report.share_worse is None else report.share_worse,
        "calibration gap": "not judged" if calibration is None else calibration.gap,
        "degraded by": ", ".join(report.degraded_by) or "nothing",
        "what to do": performance_advice(report),
        "training due": report.training_due,
        f"{report.metric} estimated without labels": "none" if estimate is None else estimate.value,
        "interval of the estimate": _between(estimate.lower, estimate.upper) if estimate else "none",
        "champion version": report.champion_version,
        "labels of": report.labelled_partition or "these rows",
        "rows that the champion has not learned from": report.rows,
    }


def _between(lower: float | None, upper: float | None) -> str:
    return "none" if lower is None or upper is None else f"{lower:.4g} to {upper:.4g}"


def _performance_state(report: PerformanceReport) -> tuple[bool, str]:
    if report.loss is None:
        return not report.alarm, "not judged"
    by = f" (degraded by {', '.join(report.degraded_by)})" if report.degraded_by else ""
    return not report.alarm, f"the champion lost {report.loss:.4g} of {report.metric}{by}"


def _estimate_state(report: PerformanceReport) -> tuple[bool, str]:
    estimate = report.estimate
    if estimate is None:
        return True, "not estimated"
    sentence = f"{report.metric} is estimated at {estimate.value:.4g} ({_between(estimate.lower, estimate.upper)})"
    return not estimate.warning, f"{sentence} without labels"


_MONITORS: dict[str, _Monitor[Any]] = {
    "drift_report": _Monitor(
        description="Features, predictions and target of the newest rows, compared with the champion's own rows.",
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
        further={
            (
                "estimated_performance_held",
                "The metric of rows without labels, as their features let expect it; a warning, never an alarm.",
            ): _estimate_state
        },
    ),
}
