"""The history of a search for hyperparameters."""

from typing import Any

import numpy as np

from assay.learning.evaluation.plots.canvas import GREY, MARKERS, PALETTE, draw, grid, shortened
from assay.results.search_result import BestHyperparameters, TrialRecord


def tuning_history_plot(best: BestHyperparameters) -> bytes:
    """Draw every trial by family, the best value so far, and the trials without a value.

    Args:
        best: what a search found; without trials the picture says so.

    Returns:
        PNG bytes.
    """

    def paint(axes: Any) -> None:
        valued = [trial for trial in best.trials if trial.value is not None]
        if not valued:
            axes.text(0.5, 0.5, "no trial has a value", transform=axes.transAxes, ha="center", color=GREY)
        for place, family in enumerate(dict.fromkeys(trial.family for trial in best.trials)):
            _paint_family(axes, [trial for trial in valued if trial.family == family], family, place)
        _paint_best_so_far(axes, valued, best.direction)
        _paint_without_value(axes, [trial for trial in best.trials if trial.value is None])
        axes.xaxis.get_major_locator().set_params(integer=True)
        grid(axes)

    better = "more is better" if best.direction == "maximize" else "less is better"
    ended = {"n_trials": "ended by n_trials", "timeout": "ended by the timeout", "disabled": "search disabled"}
    how = ended.get(best.stopped_by, "nothing to search")
    title = f"Tuning history\n{len(best.trials)} trials, {how}; seed {best.seed}"
    return draw(title, "Trial", f"{shortened(best.metric, 40)}, mean over folds ({better})", paint)


def _paint_family(axes: Any, trials: list[TrialRecord], family: str, place: int) -> None:
    axes.scatter(
        [trial.number for trial in trials],
        [trial.value for trial in trials],
        s=28,
        color=PALETTE[place % len(PALETTE)],
        marker=MARKERS[place % len(MARKERS)],
        alpha=0.8,
        label=shortened(family, 30),
    )


def _paint_best_so_far(axes: Any, trials: list[TrialRecord], direction: str) -> None:
    complete = sorted((t for t in trials if t.state == "complete"), key=lambda trial: trial.number)
    if complete:
        pick = np.maximum if direction == "maximize" else np.minimum
        values = pick.accumulate(np.array([trial.value for trial in complete], dtype=np.float64))
        numbers = [trial.number for trial in complete]
        axes.step(numbers, values, where="post", color="black", linewidth=1.5, label="best so far")


def _paint_without_value(axes: Any, trials: list[TrialRecord]) -> None:
    if trials:
        numbers = [trial.number for trial in trials]
        axes.plot(
            numbers,
            [0.02] * len(numbers),
            "x",
            color=GREY,
            transform=axes.get_xaxis_transform(),
            label="failed or pruned, no value",
        )
