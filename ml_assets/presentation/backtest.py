"""The backtest as metadata and a check result.

Does not belong here: the replay.
"""

from typing import Any

import dagster as dg

from assay.backtesting.report import CHAMPION, RETRAINED, STALE, BacktestReport
from ml_assets.presentation.images import images
from ml_assets.presentation.tables import records_table


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
            "newest training row": result.newest_training_row,
        }
        for result in report.results
    ]
    means = {f"mean {report.metric}, {name}": value for name, value in report.means().items() if value is not None}
    return {
        "as-of times": len(report.results),
        "promotions": report.promotions,
        "drift alarms": report.alarms,
        **means,
        "walk forward": records_table(rows),
        **images({"walk_forward": curve}),
    }


def check_of_future(report: BacktestReport) -> dg.AssetCheckResult:
    """Return whether every model learned from rows before its as-of time alone."""
    ahead = report.looking_ahead
    return dg.AssetCheckResult(
        check_name="no_row_after_as_of",
        passed=not ahead,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"later rows were learned from as of {', '.join(ahead)}" if ahead else "no model saw the future",
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
