"""The page of a model report: values in, one self-contained HTML text out.

No network, no scripts, no further file: it opens wherever it is stored. All texts of the data and of the pipeline file
are escaped.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.counting import counted
from assay.gate.profile_page.columns import number, percent, readable
from assay.html_pages import rendered
from assay.learning.evaluation.evaluating import beats_baseline, bound_in_words, failed_minimum
from assay.reporting.model_report import Importance, ModelReport, SearchHistory, TrialPoint
from assay.reporting.svg import Axes
from assay.results.search_result import ENDED
from assay.results.trained_model import annotation_in_words

SHOWN_IMPORTANCES = 15
SHOWN_DRIFT = 12
SHOWN_PERIODS = 24
_VERDICTS = {
    "promoted": ("passed", "Promoted"),
    "needs_approval": ("warned", "Waits for approval"),
    "kept_champion": ("warned", "Champion kept"),
    "blocked_by_safeguard": ("rejected", "Blocked by a safeguard"),
    "rejected_below_minimum": ("rejected", "Rejected: below the minimum"),
    "rejected_below_baseline": ("rejected", "Rejected: no better than the baseline"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the page says first.

    Attributes:
        state: `passed`, `warned` or `rejected`, for the colour.
        words: the verdict.
        reason: one sentence.
    """

    state: str
    words: str
    reason: str


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric on the holdout, beside others."""

    name: str
    value: float | None
    interval: tuple[float, float] | None
    baseline: float | None
    champion: float | None
    compared: float | None
    bound: float | None
    missing: str = ""


def to_html(report: ModelReport) -> str:
    """Return the page of a report; the same report gives the same text."""
    search, options = report.search, report.evaluation.decision
    return rendered(
        "assay.reporting",
        "report.html.j2",
        _FUNCTIONS,
        report=report,
        verdict=verdict_of(report),
        metrics=list(_metrics(report)),
        gap=gap_in_words(report),
        of_holdout=holdout_of_others_in_words(report),
        effects=list(options.changed(report.evaluation.metrics)) if options else [],
        threshold=options.threshold if options else None,
        warnings=list(_warnings(report)),
        gate=_gate(report),
        unit=Axes(),
        residual_axes=_residual_axes(report),
        history_axes=_history_axes(search) if search else None,
        families=list(dict.fromkeys(trial.family for trial in search.trials)) if search else [],
        best_so_far=_best_so_far(search) if search else ((), ()),
        ended=ENDED.get(search.stopped_by, search.stopped_by) if search else "",
        shown_importances=SHOWN_IMPORTANCES,
        shown_drift=SHOWN_DRIFT,
        shown_periods=SHOWN_PERIODS,
    )


def verdict_of(report: ModelReport) -> Verdict:
    """Return the decision; before there is one, whether the evaluation allows a promotion."""
    if report.decision is not None:
        state, words = _VERDICTS[report.decision.verdict]
        return Verdict(state, words, report.decision.reason)
    missed = failed_minimum(report.evaluation)
    if missed:
        said = "; ".join(
            f"{name} is {_written(value)}, required {bound_in_words(name, report.evaluation)}"
            for name, value in missed.items()
        )
        return Verdict("rejected", "Below the minimum", f"{said}.")
    if report.evaluation.must_beat_baseline and not beats_baseline(report.evaluation):
        metric = report.evaluation.primary_metric
        return Verdict("rejected", "No better than the baseline", f"{metric} = {report.evaluation.in_words(metric)}.")
    return Verdict("warned", "Evaluated", "The model has not been compared with a champion yet.")


def gap_in_words(report: ModelReport) -> str:
    """Return how the search's best score and the holdout differ; empty without a search."""
    search, evaluation = report.search, report.evaluation
    if search is None or search.best is None or search.metric != evaluation.primary_metric:
        return ""
    value = evaluation.metrics[evaluation.primary_metric]
    gap = value - search.best
    better = gap > 0 if evaluation.greater_is_better else gap < 0
    said = (
        f"{search.metric} of the best trial on validation rows is {search.best:.4g}, on the holdout {value:.4g}: "
        f"{'better' if better else 'worse'} by {abs(gap):.4g}"
        if gap
        else f"{search.metric} of the best trial on validation rows and on the holdout is {value:.4g}"
    )
    ends = evaluation.intervals.get(evaluation.primary_metric)
    if ends is None:
        return f"{said}."
    inside = ends[0] <= search.best <= ends[1]
    place = "inside" if inside else "outside"
    return f"{said}. The validation score is {place} the holdout's interval of {ends[0]:.4g} to {ends[1]:.4g}."


def holdout_of_others_in_words(report: ModelReport) -> str:
    """Return what the holdout scores of the leaderboard are worth; empty with one family."""
    others = [row for row in report.leaderboard if not row.is_model]
    if not others:
        return ""
    if all(row.holdout is None for row in others):
        return "Only the chosen model was evaluated on the holdout."
    return (
        "The choice was made by validation, and the verdict is on the chosen model alone. The other families were "
        "fitted and measured afterwards and decide nothing: a family that is picked by its holdout score needs "
        "another holdout to be judged on."
    )


def _metrics(report: ModelReport) -> Iterator[MetricRow]:
    """Yield the primary metric first, then the others, then those without a value."""
    evaluation = report.evaluation
    whole = next((each for each in report.decision.values if not each.column), None) if report.decision else None
    names = sorted(evaluation.metrics, key=lambda name: name != evaluation.primary_metric)
    for name in names:
        yield MetricRow(
            name=name,
            value=evaluation.metrics[name],
            interval=evaluation.intervals.get(name),
            baseline=evaluation.baseline.get(name),
            champion=whole.champion.get(name) if whole else None,
            compared=whole.challenger.get(name) if whole else None,
            bound=evaluation.minimum.get(name),
        )
    for name, why in evaluation.missing_metrics.items():
        yield MetricRow(name, None, None, None, None, None, evaluation.minimum.get(name), why)


def _gate(report: ModelReport) -> str:
    number = len(report.evaluation.gate_warnings)
    return f"passed with {counted(number, 'warning')}, named at the top" if number else "passed without a warning"


def _warnings(report: ModelReport) -> Iterator[str]:
    """Yield what a reader has to know before anything else."""
    evaluation = report.evaluation
    yield from (f"The holdout may be too good: {doubt}." for doubt in evaluation.doubts)
    for warning in evaluation.gate_warnings:
        yield f"The gate warned of {warning.column or 'the rows'} ({warning.rule}): {warning.found}."
    if not evaluation.training_rows_known:
        yield "Which rows the model learned from is not known, so its metrics may be too good."
    if evaluation.of_recipe:
        yield evaluation.of_recipe


def _residual_axes(report: ModelReport) -> Axes | None:
    bins = report.drawings.residuals
    if not bins:
        return None
    return Axes.around([each.predicted for each in bins], [end for each in bins for end in (each.low, each.high, 0.0)])


def _history_axes(search: SearchHistory) -> Axes | None:
    valued = _valued(search)
    if not valued:
        return None
    last = max(trial.number for trial in search.trials)
    return Axes.around([0, max(last, 1)], [value for _, value in valued])


def _best_so_far(search: SearchHistory) -> tuple[Sequence[int], Sequence[float]]:
    """Return numbers of complete trials, and the best value up to each."""
    pick = max if search.greater_is_better else min
    numbers: list[int] = []
    best: list[float] = []
    for trial, value in sorted(_valued(search), key=lambda pair: pair[0].number):
        if trial.state == "complete":
            numbers.append(trial.number)
            best.append(pick(best[-1], value) if best else value)
    return numbers, best


def _valued(search: SearchHistory) -> list[tuple[TrialPoint, float]]:
    return [(trial, trial.value) for trial in search.trials if trial.value is not None]


def bar_width(rows: Sequence[Importance], value: float) -> float:
    """Return the width of a bar in percent of the widest one."""
    most = max(abs(row.value) for row in rows)
    return 100 * max(value, 0.0) / most if most else 0.0


def _written(value: float | None) -> str:
    return "missing" if value is None else f"{value:.4g}"


def significant(value: float | None) -> str:
    """Return a number with four significant digits; a dash for none."""
    return number(None if value is None else float(f"{value:.4g}"))


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "readable": readable,
    "number": number,
    "percent": percent,
    "significant": significant,
    "bar_width": bar_width,
    "annotation_in_words": annotation_in_words,
}
