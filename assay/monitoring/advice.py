"""What a person sees of a monitoring report, and what to do about it."""

from collections.abc import Mapping
from typing import Any

from assay.monitoring.changes import Change
from assay.monitoring.drift import DriftReport
from assay.monitoring.performance import PerformanceReport


def drift_table(report: DriftReport) -> list[Mapping[str, Any]]:
    """Return one row for each feature, for display."""
    return [
        {
            "feature": feature.name,
            "kind": feature.kind,
            "drifted": feature.drifted,
            "what changed": "; ".join(_described(each) for each in reversed(feature.changes) if each.drifted),
            "effect": feature.effect,
            "statistic": feature.statistic,
            "p": feature.p_value,
            "missing before": feature.missing_before,
            "missing now": feature.missing_now,
        }
        for feature in report.features
    ]


_ASPECTS = {
    "distribution": "distribution",
    "missing": "missing values",
    "rate": "rarer value",
    "new_categories": "rows with unknown categories",
}


def _described(change: Change) -> str:
    if change.before is None or change.now is None:
        return f"{_ASPECTS[change.aspect]}: {change.statistic} {change.effect:.2f}"
    return f"{_ASPECTS[change.aspect]}: {change.before:.1%} -> {change.now:.1%}"


def drift_advice(report: DriftReport) -> str:
    """Return what an operator should do about a window."""
    drifted = [feature for feature in report.features if feature.drifted]
    aspects = {change.aspect for feature in drifted for change in feature.changes if change.drifted}
    kinds = {feature.kind for feature in drifted}
    steps = []
    if aspects & {"missing", "new_categories"}:
        steps.append("check the source of the columns with missing values or new categories before anything is trained")
    if "target" in kinds:
        steps.append("check calibration in performance_report: predictions follow the old distribution of the target")
    if kinds == {"prediction"}:
        steps.append("scan features that are not watched (texts, times), or several that move together")
    if report.alarm:
        steps.append("retrain on rows that hold the change, which automation.retrain_on: [drift] does")
    elif drifted:
        steps.append("wait for the next window: one window is no alarm")
    return "; ".join(steps) or "nothing"


_ADVICE = {
    "loss": "retrain on newer rows, which automation.retrain_on: [performance] does; if the retrained model is kept "
    "out, see its decision in champion_model",
    "calibration": "do not use the probabilities for decisions with a fixed threshold until a model is retrained",
    "baseline": "do not use the predictions: the share or mean of the target alone is as good; roll back or withdraw "
    "the champion if no retrained model is better",
}


def performance_advice(report: PerformanceReport) -> str:
    """Return what an operator should do about a window."""
    steps = [_ADVICE[each] for each in report.degraded_by]
    if report.estimate is not None and report.estimate.warning:
        steps.append(
            "the features alone let expect a loss: get labels of these rows early, before they come by themselves"
        )
    return "; ".join(steps) or "nothing"
