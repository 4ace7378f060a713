"""The outcome of a backtest, and its walk-forward curve."""

import datetime as dt
import statistics
from typing import Any

from assay.learning.evaluation.plots.canvas import BLUE, GREEN, GREY, MARKERS, VERMILLION, draw, grid
from assay.specs.base import Spec

STALE, RETRAINED, CHAMPION = "stale model", "retrained", "champion"


class AsOfResult(Spec):
    """How the models of one as-of time performed on the partition that came next."""

    partition: str
    """The partition that they are evaluated on; the retrained model was trained on earlier ones."""
    rows: int
    """Rows of the partition."""
    stale: float | None
    """Primary metric of the first model, never retrained; missing where it cannot predict these rows."""
    retrained: float
    """Primary metric of the model trained for this time."""
    champion: float | None
    """Primary metric of the champion before the decision; missing while there was none."""
    verdict: str
    """The promotion policy's decision on the retrained model."""
    trained_on: tuple[str, ...]
    """Training partitions of the retrained model."""
    newest_training_row: dt.datetime | None
    """Latest time of its training rows, without zone; missing without a time column."""
    drifted: tuple[str, ...] = ()
    """Features that drifted from the champion's training rows, under `monitoring.drift`."""
    drift_alarm: tuple[str, ...] = ()
    """Features that drifted in enough of the latest partitions for an alarm."""
    as_of: dt.datetime
    """Start of the partition; every training row must be earlier."""

    @property
    def looks_ahead(self) -> bool:
        """Whether the model was trained on a row (or else a partition) of its as-of time or later."""
        if self.newest_training_row is not None and self.newest_training_row >= self.as_of:
            return True
        return any(key >= self.partition for key in self.trained_on)


class BacktestReport(Spec):
    """The walk forward over the past, and what the promotion policy would have decided."""

    pipeline: str
    metric: str
    """Name of the primary metric."""
    greater_is_better: bool
    results: tuple[AsOfResult, ...]
    """Oldest first."""

    @property
    def promotions(self) -> int:
        """How often the policy would have replaced the champion."""
        return sum(result.verdict == "promoted" for result in self.results)

    @property
    def alarms(self) -> int:
        """How many partitions would have had a drift alarm."""
        return sum(bool(result.drift_alarm) for result in self.results)

    @property
    def looking_ahead(self) -> tuple[str, ...]:
        """The as-of times whose model saw later rows; empty in a sound backtest."""
        return tuple(result.partition for result in self.results if result.looks_ahead)

    def means(self) -> dict[str, float | None]:
        """Return each policy's mean primary metric over the as-of times at which all have a value."""
        shared = [each for each in self.results if each.stale is not None and each.champion is not None]
        if not shared:
            return dict.fromkeys((STALE, RETRAINED, CHAMPION))
        values: dict[str, list[float | None]] = {
            STALE: [each.stale for each in shared],
            RETRAINED: [each.retrained for each in shared],
            CHAMPION: [each.champion for each in shared],
        }
        return {name: statistics.fmean(v for v in column if v is not None) for name, column in values.items()}


_MOST_TICKS = 12


def walk_forward_plot(report: BacktestReport) -> bytes:
    """Return a PNG of the primary metric of stale, retrained and champion model by as-of time, with promotions."""
    keys = [result.partition for result in report.results]
    curves: dict[str, list[float | None]] = {
        STALE: [result.stale for result in report.results],
        RETRAINED: [result.retrained for result in report.results],
        CHAMPION: [result.champion for result in report.results],
    }

    def paint(axes: Any) -> None:
        positions = range(len(keys))
        for (name, values), color, marker in zip(curves.items(), (VERMILLION, BLUE, GREEN), MARKERS, strict=False):
            known = [float("nan") if value is None else value for value in values]
            axes.plot(positions, known, color=color, marker=marker, markersize=5, label=name)
        promoted = [position for position, result in enumerate(report.results) if result.verdict == "promoted"]
        for number, position in enumerate(promoted):
            axes.axvline(position, color=GREY, linewidth=0.8, linestyle=":", label="promotion" if number == 0 else None)
        step = -(-len(keys) // _MOST_TICKS)
        axes.set_xticks(list(positions)[::step], keys[::step], rotation=45, ha="right")
        grid(axes)

    better = "more is better" if report.greater_is_better else "less is better"
    title = f"Walk forward\n{len(keys)} as-of times, {report.promotions} promotions"
    return draw(title, "As of the start of", f"{report.metric} ({better})", paint)
