"""The outcome of a backtest as a value.

The walk-forward curve.
"""

import datetime as dt
import statistics
from typing import Any

from assay.learning.evaluation.plots.canvas import BLUE, GREEN, GREY, MARKERS, VERMILLION, draw, grid
from assay.specs.base import Spec

STALE, RETRAINED, CHAMPION = "stale model", "retrained", "champion"


class AsOfResult(Spec):
    """How the models of one as-of time did on the partition that came next."""

    partition: str
    """The partition they are judged on; the retrained model learned from those before it."""
    rows: int
    """Rows that they are judged on."""
    stale: float | None
    """Primary metric of the first model of all, never trained again; missing where it cannot judge these rows."""
    retrained: float
    """Primary metric of the model trained for this time."""
    champion: float | None
    """Primary metric of the model in force when these rows came, before the decision; missing while there was none."""
    verdict: str
    """What the promotion policy decides about the retrained model."""
    trained_on: tuple[str, ...]
    """Partitions that the retrained model learned from."""
    newest_training_row: dt.datetime | None
    """Latest time of a row that it learned from, without zone; missing where no column places rows in time."""
    drifted: tuple[str, ...] = ()
    """Features that drifted from what the model in force was trained on, under `monitoring.drift`."""
    drift_alarm: tuple[str, ...] = ()
    """Features that drifted in enough of the latest partitions for an alarm."""
    as_of: dt.datetime
    """Start of the partition: no training row may be of this time or later."""

    @property
    def looks_ahead(self) -> bool:
        """Whether the model learned from a row, or else a partition, that was not there at its time."""
        if self.newest_training_row is not None and self.newest_training_row >= self.as_of:
            return True
        return any(key >= self.partition for key in self.trained_on)


class BacktestReport(Spec):
    """The walk forward over the past, and what the promotion policy would have made of it."""

    pipeline: str
    metric: str
    """Name of the primary metric."""
    greater_is_better: bool
    results: tuple[AsOfResult, ...]
    """Oldest first."""

    @property
    def promotions(self) -> int:
        """How often the policy would have changed the model in force."""
        return sum(result.verdict == "promoted" for result in self.results)

    @property
    def alarms(self) -> int:
        """How many partitions the drift policy would have given an alarm for."""
        return sum(bool(result.drift_alarm) for result in self.results)

    @property
    def looking_ahead(self) -> tuple[str, ...]:
        """The as-of times whose model saw the future; empty in a sound backtest."""
        return tuple(result.partition for result in self.results if result.looks_ahead)

    def means(self) -> dict[str, float | None]:
        """Return the mean of the primary metric of each policy, over the as-of times at which all have a value."""
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
