"""The walk-forward curve.

Does not belong here: the numbers.
"""

from typing import Any

from assay.backtesting.report import CHAMPION, RETRAINED, STALE, BacktestReport
from assay.evaluation.plots.canvas import BLUE, GREEN, GREY, MARKERS, VERMILLION, draw, grid

_MOST_TICKS = 12


def walk_forward_plot(report: BacktestReport) -> bytes:
    """Draw the primary metric of stale, retrained and champion model by as-of time, and mark the promotions.

    Args:
        report: a backtest.

    Returns:
        PNG bytes.
    """
    keys = [result.partition for result in report.results]
    curves: dict[str, list[float | None]] = {
        STALE: [result.stale for result in report.results],
        RETRAINED: [result.retrained for result in report.results],
        CHAMPION: [result.champion for result in report.results],
    }

    def paint(axes: Any) -> None:
        places = range(len(keys))
        for (name, values), color, marker in zip(curves.items(), (VERMILLION, BLUE, GREEN), MARKERS, strict=False):
            known = [float("nan") if value is None else value for value in values]
            axes.plot(places, known, color=color, marker=marker, markersize=5, label=name)
        promoted = [place for place, result in enumerate(report.results) if result.verdict == "promoted"]
        for number, place in enumerate(promoted):
            axes.axvline(place, color=GREY, linewidth=0.8, linestyle=":", label="promotion" if number == 0 else None)
        step = -(-len(keys) // _MOST_TICKS)
        axes.set_xticks(list(places)[::step], keys[::step], rotation=45, ha="right")
        grid(axes)

    better = "more is better" if report.greater_is_better else "less is better"
    title = f"Walk forward\n{len(keys)} as-of times, {report.promotions} promotions"
    return draw(title, "As of the start of", f"{report.metric} ({better})", paint)
