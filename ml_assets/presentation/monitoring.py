"""Reports of drift and performance as metadata and check results.

Does not belong here: judging.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assay.monitoring.drift import DriftReport, drift_table
from assay.monitoring.performance import PerformanceReport
from ml_assets.presentation.tables import records_table

_RISING = "alarm begins"


def not_judged(why: str, *checks: str) -> Iterator[dg.AssetCheckResult]:
    """Yield checks that find nothing wrong, since there is nothing that they could judge."""
    for name in checks:
        yield dg.AssetCheckResult(
            check_name=name, passed=True, severity=dg.AssetCheckSeverity.WARN, description=f"not judged: {why}"
        )


def drift_metadata(report: DriftReport) -> dict[str, Any]:
    """Return whether an alarm begins, what drifted, and the features beside the training rows."""
    return {
        _RISING: report.alarm_start,
        "alarm": ", ".join(report.alarm_features) or "none",
        "drifted in this window": ", ".join(report.drifted) or "none",
        "champion version": report.champion_version,
        "rows": f"{report.window_rows:,} beside {report.reference_rows:,} that the champion learned from",
        "windows": ", ".join(report.windows) or report.status,
        "features": records_table(drift_table(report)),
    }


def check_of_drift(report: DriftReport) -> dg.AssetCheckResult:
    """Return whether there is no alarm."""
    told = ", ".join(report.alarm_features)
    windows = f"in the windows {', '.join(report.windows)}" if any(report.windows) else "in the latest windows"
    return dg.AssetCheckResult(
        check_name="features_not_drifted",
        passed=not report.alarm_features,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{told} drifted {windows}" if told else f"no alarm ({report.status})",
    )


def performance_metadata(report: PerformanceReport) -> dict[str, Any]:
    """Return the metric now and then, and whether an alarm begins."""
    return {
        _RISING: report.alarm_start,
        f"{report.metric} now": report.value_now if report.value_now is not None else report.reason,
        f"{report.metric} at promotion": "not recorded"
        if report.value_at_promotion is None
        else report.value_at_promotion,
        "loss": "none" if report.loss is None else report.loss,
        "share of resamples that lose too much": "none" if report.share_worse is None else report.share_worse,
        "champion version": report.champion_version,
        "rows": report.rows,
    }


def check_of_performance(report: PerformanceReport) -> dg.AssetCheckResult:
    """Return whether there is no alarm."""
    lost = f"the champion lost {report.loss:.4g} of {report.metric}" if report.loss is not None else "not judged"
    return dg.AssetCheckResult(
        check_name="performance_held",
        passed=not report.alarm,
        severity=dg.AssetCheckSeverity.WARN,
        description=lost,
    )


def check_of_beginning(name: str, state: dg.AssetCheckResult, *, begins: bool) -> dg.AssetCheckResult:
    """Return whether this window is not the first of an alarm.

    What the alarm starts waits for this check to fail, and people are told of it then, by the words of the other.

    Args:
        name: of the check.
        state: the check that fails in every window of the alarm.
        begins: whether the alarm begins in this window.
    """
    return dg.AssetCheckResult(
        check_name=name, passed=not begins, severity=dg.AssetCheckSeverity.WARN, description=state.description
    )
