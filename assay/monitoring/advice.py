"""What a person sees of a monitoring report, and what to do about it."""

from collections.abc import Mapping, Sequence
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
        steps.append("wait for the next window: no feature has drifted in enough windows for an alarm")
    return "; ".join(steps) or "nothing"


def drift_sentence(report: DriftReport) -> str:
    """Return what has drifted, and in which of the windows that count."""
    if report.status == "trained_on":
        return "not compared: the champion was trained on these rows"
    if report.alarm:
        return "; ".join(_drifted_in(names, windows, report) for windows, names in _by_windows(report).items())
    if report.drifted:
        return f"no alarm: {', '.join(report.drifted)} drifted in this window, but in too few of the latest ones"
    return "no alarm: nothing drifted in this window"


def _by_windows(report: DriftReport) -> dict[tuple[str, ...] | None, list[str]]:
    """Return the features of an alarm by the windows in which they drifted; None where these are not recorded."""
    found: dict[tuple[str, ...] | None, list[str]] = {}
    for name in report.alarm_features:
        found.setdefault(report.drifted_in.get(name), []).append(name)
    return found


def _drifted_in(names: Sequence[str], windows: tuple[str, ...] | None, report: DriftReport) -> str:
    features = ", ".join(names)
    if windows is None:  # a report of an earlier version counts the windows alone
        return f"{features} drifted in enough of the latest {len(report.windows)} windows"
    if not all(windows):  # without partitions windows have no names
        return f"{features} drifted in {len(windows)} of the latest {len(report.windows)} windows"
    return f"{features} drifted in the window{'s' if len(windows) > 1 else ''} {', '.join(windows)}"


def compared_rows(report: DriftReport) -> str:
    """Return how many rows were compared with how many of the champion's."""
    if report.status == "trained_on":
        return f"{report.window_rows:,}, on which the champion was trained"
    return f"{report.window_rows:,}, compared with {report.reference_rows:,} training rows of the champion"


def compared_target(report: DriftReport) -> str:
    """Return of which rows the target was compared."""
    if not report.target_compared:
        return "not compared"
    return "these rows" if report.target_partition == report.partition else report.target_partition


def labels_of(report: PerformanceReport) -> str:
    """Return of which rows the labels were compared with predictions."""
    if report.labelled_partition:
        return report.labelled_partition
    return "no partition" if report.partition else "all rows"


def performance_sentence(report: PerformanceReport) -> str:
    """Return what the champion lost or gained in its metric since promotion, and by what it is degraded."""
    by = f"degraded by {', '.join(report.degraded_by)}" if report.degraded_by else ""
    if report.loss is None:
        return f"{report.metric} is not compared with its value at promotion: {report.reason or 'it has none'}"
    if report.loss == 0:
        change = f"the champion's {report.metric} is as at promotion"
    else:
        change = f"the champion {'lost' if report.loss > 0 else 'gained'} {abs(report.loss):.4g} of {report.metric}"
    return f"{change} ({by})" if by else change


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
