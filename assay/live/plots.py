"""A picture of the comparison of two served versions over the days."""

import datetime as dt
from typing import Any

import numpy as np

from assay.learning.evaluation.drawing import BLUE, GREY, VERMILLION, draw
from assay.live.comparison import LiveComparison

_HALF_A_DAY = dt.timedelta(hours=12)
_FEW_DAYS = 10


def comparison_plot(found: LiveComparison) -> bytes | None:
    """Draw the confidence sequence of the gain by day; None before the first interval."""
    looks = [look for look in found.looks if look.lower is not None and look.upper is not None]
    if not looks:
        return None
    days = [dt.datetime.fromisoformat(look.day) for look in looks]
    ends = (days[0] - _HALF_A_DAY, days[-1] + _HALF_A_DAY)  # of one day alone the band has a width, too
    gain, lower, upper = (np.array([getattr(look, name) for look in looks]) for name in ("gain", "lower", "upper"))

    def paint(axes: Any) -> None:
        axes.axhline(0, color=GREY, linewidth=1, linestyle="--", label="no difference")
        band = (np.pad(each, 1, mode="edge") for each in (lower, upper))
        axes.fill_between([ends[0], *days, ends[1]], *band, color=BLUE, alpha=0.2, linewidth=0)
        axes.plot(days, gain, color=BLUE, marker="o", linewidth=1.5, label="lower mean loss of the challenger")
        if found.decided_on:
            axes.axvline(
                dt.datetime.fromisoformat(found.decided_on), color=VERMILLION, label=f"decided {found.decided_on}"
            )
        axes.set_ylim(*_range(gain, lower, upper))
        axes.set_xlim(*ends)
        if len(days) <= _FEW_DAYS:
            axes.set_xticks(days, [look.day for look in looks])
        axes.figure.autofmt_xdate()
        axes.legend(loc="best", fontsize=9)

    title = (
        f"Version {found.challenger_version} against {found.champion_version}\n"
        f"mean {found.loss} loss; the band holds on all days together at {found.confidence:.0%}"
    )
    return draw(title, "Day on which labels began to count, UTC", f"Gain of the challenger, {found.loss} loss", paint)


def _range(gain: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> tuple[float, float]:
    """Return an axis that shows the later intervals; the first ones may be very wide."""
    width = 1.5 * float(np.median(upper - lower))
    low = min(float(lower[-1]), float(gain.min()) - width / 2, 0.0)
    high = max(float(upper[-1]), float(gain.max()) + width / 2, 0.0)
    margin = 0.05 * (high - low)
    return low - margin, high + margin
