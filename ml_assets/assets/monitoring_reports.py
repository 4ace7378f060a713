"""`drift_report` and `performance_report`: the current champion on the newest rows.

Both evaluate one window against the champion and compare it with the reports of earlier windows.
"""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from assay.monitoring.advice import (
    compared_rows,
    compared_target,
    drift_advice,
    drift_sentence,
    drift_table,
    labels_of,
    performance_advice,
    performance_sentence,
)
from assay.monitoring.alarms import windows_needed
from assay.monitoring.drift import DriftReport, compared_samples, evaluate_drift
from assay.monitoring.performance import PerformanceReport, evaluate_performance
from assay.monitoring.reference import MonitoredWindow, Reference
from assay.reporting.drift_page import SHOWN_WINDOWS, drift_drawings
from assay.specs import PipelineSpec
from ml_assets.assets.metadata import records_table
from ml_assets.assets.monitor import Monitor, State, Window, build_monitor
from ml_assets.pipeline.asset import Stage
from ml_assets.pipeline.monitored_rows import monitored_window, reference_of
from ml_assets.pipeline.window_pages import publish_drift_page
from resources.report_site import DRIFT_PAGE

_DRAWN_EFFECTS = 10


def build_monitoring_report(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/drift_report` or `<pipeline>/performance_report` with its checks."""
    return build_monitor(spec, stage, _MONITORS[stage.name])


def _rows(window: Window) -> MonitoredWindow:
    return monitored_window(window.context, window.dataset, window.champion, window.artifacts, window.spec)


def _reference(window: Window, *, required: bool) -> Reference:
    return reference_of(window.champion, window.artifacts, window.spec, required=required)


def _alarm_checks(state: str, description: str, further: Mapping[str, str]) -> Callable[[Stage], Mapping[str, str]]:
    """Return the check of the state, those of the events that notify and that retrain, and those that only warn."""

    def checks(stage: Stage) -> Mapping[str, str]:
        return {
            state: description,
            stage.alarm_check: "No alarm begins, or begins again, in this window.",
            stage.training_check: "The training of this window answers no alarm.",
            **further,
        }

    return checks


def _drift(window: Window) -> DriftReport:
    rule = window.spec.monitoring.drift if window.spec.monitoring else None
    needed = windows_needed(window.spec, rule.of_windows if rule else 0)
    earlier = window.earlier(DriftReport, max(needed, SHOWN_WINDOWS))
    rows, reference = _rows(window), _reference(window, required=True)
    compared = compared_samples(rows, reference, window.spec)
    report = evaluate_drift(rows, reference, earlier[-needed:] if needed else [], window.spec, compared)
    drawings = drift_drawings(report, compared, earlier, reference.model.manifest.features, window.spec)
    commit = publish_drift_page(window.context, window.manager, drawings)
    window.links["page"] = window.site.page(commit, DRIFT_PAGE)
    return report


def _drift_metadata(report: DriftReport) -> dict[str, Any]:
    return {
        **_drift_figures(report),
        "alarm begins": report.alarm_start,
        "alarm": ", ".join(report.alarm_features) or "none",
        "drifted in this window": ", ".join(report.drifted) or "none",
        "what to do": drift_advice(report),
        "training due": report.training_due,
        "champion version": report.champion_version,
        "same season": report.season_partition or "not known",
        "target of": compared_target(report),
        "rows": compared_rows(report),
        "windows that count": ", ".join(filter(None, report.windows)) or str(len(report.windows)),
        "features": records_table(drift_table(report)),
    }


def _drift_figures(report: DriftReport) -> dict[str, float]:
    """Return the figures that Dagster draws over windows: the share that drifted, and the largest effects."""
    share = {} if report.share_drifted is None else {"share drifted": report.share_drifted}
    return share | {f"effect of {each.name}": each.effect for each in report.features[:_DRAWN_EFFECTS]}


def _drift_states(report: DriftReport, stage: Stage) -> Mapping[str, State]:
    sentence = drift_sentence(report)
    return {"features_not_drifted": (not report.alarm, sentence), **_event_states(report, stage, sentence)}


def _event_states(report: DriftReport | PerformanceReport, stage: Stage, sentence: str) -> Mapping[str, State]:
    """Return the states of the checks that notify and that retrain."""
    return {
        stage.alarm_check: (not report.alarm_start, sentence),
        stage.training_check: (not report.training_due, sentence),
    }


def _performance(window: Window) -> PerformanceReport:
    rule = window.spec.monitoring.performance if window.spec.monitoring else None
    earlier = window.earlier(PerformanceReport, windows_needed(window.spec, rule.alarm_windows if rule else 0))
    return evaluate_performance(_rows(window), _reference(window, required=False), earlier, window.spec)


def _performance_metadata(report: PerformanceReport) -> dict[str, Any]:
    before, estimate, calibration = report.value_at_promotion, report.estimate, report.calibration
    return {
        "alarm begins": report.alarm_start,
        f"{report.metric} now": report.value_now if report.value_now is not None else report.reason,
        f"{report.metric} at promotion": "not recorded" if before is None else before,
        f"{report.metric} of the baseline": "not known" if report.baseline_now is None else report.baseline_now,
        "loss": "not known" if report.loss is None else report.loss,
        "interval of the loss": _between(report.loss_lower, report.loss_upper),
        "probability that the loss is too large": "none" if report.share_worse is None else report.share_worse,
        "calibration gap": "not judged" if calibration is None else calibration.gap,
        "degraded by": ", ".join(report.degraded_by) or "nothing",
        "what to do": performance_advice(report),
        "training due": report.training_due,
        f"{report.metric} estimated without labels": "none" if estimate is None else estimate.value,
        "interval of the estimate": _between(estimate.lower, estimate.upper) if estimate else "none",
        "champion version": report.champion_version,
        "labels of": labels_of(report),
        "rows that the champion has not learned from": report.rows,
    }


def _between(lower: float | None, upper: float | None) -> str:
    return "none" if lower is None or upper is None else f"{lower:.4g} to {upper:.4g}"


def _performance_states(report: PerformanceReport, stage: Stage) -> Mapping[str, State]:
    sentence = performance_sentence(report)
    return {
        "performance_held": (not report.alarm, sentence),
        **_event_states(report, stage, sentence),
        "estimated_performance_held": _estimate_state(report),
    }


def _estimate_state(report: PerformanceReport) -> State:
    estimate = report.estimate
    if estimate is None:
        return True, "not estimated"
    sentence = f"{report.metric} is estimated at {estimate.value:.4g} ({_between(estimate.lower, estimate.upper)})"
    return not estimate.warning, f"{sentence} without labels"


_MONITORS: dict[str, Monitor[Any]] = {
    "drift_report": Monitor(
        description="Features, predictions and target of the newest rows, compared with the champion's own rows.",
        checks=_alarm_checks("features_not_drifted", "No feature drifted in enough of the latest windows.", {}),
        evaluate=_drift,
        metadata=_drift_metadata,
        states=_drift_states,
    ),
    "performance_report": Monitor(
        description="The champion's primary metric on the newest rows, compared with its value at promotion.",
        checks=_alarm_checks(
            "performance_held",
            "The champion is not degraded in enough windows, nor worse than the baseline.",
            {
                "estimated_performance_held": "The metric of rows without labels, as their features let expect it; "
                "a warning, never an alarm."
            },
        ),
        evaluate=_performance,
        metadata=_performance_metadata,
        states=_performance_states,
    ),
}
