"""A pipeline over time as a page: its models, the champion's metric, drift, alarms, predictions and the journal."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.gate.profile_page.columns import number, readable
from assay.html_pages import rendered
from assay.monitoring.advice import drift_sentence, performance_sentence
from assay.monitoring.drift import DriftReport
from assay.monitoring.performance import PerformanceReport
from assay.promotion.champion import ChampionEntry
from assay.reporting.drift_page import WindowDrift, drift_charts
from assay.reporting.model_report import ModelReport
from assay.reporting.page import Verdict, significant, verdict_of
from assay.reporting.series import SeriesChart, series_chart

_EVENTS = {
    "promoted": "promoted",
    "rolled_back": "rolled back",
    "adopted": "adopted from the registry",
    "withdrawn": "withdrawn",
    "awaiting_approval": "waits for approval",
    "approved": "approved",
    "rejected": "rejected",
}


@dataclass(frozen=True, slots=True)
class Model:
    """A model that was evaluated.

    Attributes:
        made: when its report was published.
        report: of it, with the decision where there is one.
        url: of the report.
    """

    made: dt.datetime
    report: ModelReport
    url: str

    @property
    def name(self) -> str:
        """Its partition, or the day on which it was made."""
        return self.report.evaluation.partition or f"{self.made:%Y-%m-%d}"

    @property
    def value(self) -> float:
        """The primary metric on its holdout."""
        return self.report.evaluation.metrics[self.report.evaluation.primary_metric]

    @property
    def was_promoted(self) -> bool:
        """Whether its decision made it the champion."""
        return self.report.decision is not None and self.report.decision.promotes


@dataclass(frozen=True, slots=True)
class WatchedWindow:
    """A window on which the champion was watched, or for which it predicted.

    Attributes:
        name: its partition, or the time of its report.
        performance: None where it was not measured.
        drift: None where it was not compared.
        drift_url: of the page of its drift; empty without one.
        predicted: rows of its batch predictions; None without.
        answered: rows that the endpoint answered; None without.
    """

    name: str
    performance: PerformanceReport | None = None
    drift: DriftReport | None = None
    drift_url: str = ""
    predicted: int | None = None
    answered: int | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """A window with an alarm.

    Attributes:
        window: its name.
        kind: `drift` or `performance`.
        begins: whether the alarm begins, or begins again, in it.
        sentence: what was found.
        url: of a page about it; empty without one.
    """

    window: str
    kind: str
    begins: bool
    sentence: str
    url: str


@dataclass(frozen=True, slots=True)
class PipelineHistory:
    """What is known of a pipeline over time.

    Attributes:
        pipeline: its name.
        registered_name: of its models.
        entries: of the champion journal, oldest first.
        models: oldest first.
        windows: oldest first.
        home: address of the pipeline's list.
        reports: address of the report of a registered version, by version.
    """

    pipeline: str
    registered_name: str
    entries: tuple[ChampionEntry, ...]
    models: tuple[Model, ...]
    windows: tuple[WatchedWindow, ...]
    home: str
    reports: Mapping[str, str]

    @property
    def champion(self) -> ChampionEntry | None:
        """The entry that names the current champion; None without one."""
        change = next((each for each in reversed(self.entries) if each.changes_champion), None)
        return change if change is not None and change.names_champion else None


def to_html(history: PipelineHistory) -> str:
    """Return the page; the same history gives the same text."""
    charts = {
        "models": [model_chart(history.models)],
        "metric": [metric_chart(history.windows), baseline_chart(history.windows)],
        "drift": _drift_charts(history.windows),
        "predictions": [_predictions_chart(history.windows)],
    }
    alarms = list(alarms_of(history.windows))
    return rendered(
        "assay.reporting",
        "history.html.j2",
        _FUNCTIONS,
        history=history,
        champion=history.champion,
        state=state_of(history, alarms),
        charts={name: [each for each in drawn if each is not None] for name, drawn in charts.items()},
        alarms=alarms,
        events=_EVENTS,
    )


def state_of(history: PipelineHistory, alarms: Sequence[Alarm]) -> Verdict:
    """Return what the page says first: the champion, and whether an alarm stands in the newest window."""
    champion = history.champion
    if champion is None:
        return Verdict("warned", "No champion", "No model was promoted yet, or the last one was withdrawn.")
    words = f"Champion: version {champion.version}"
    since = f"Since {champion.created_at:%Y-%m-%d %H:%M} UTC, {_EVENTS[champion.event]}"
    watched = [each.name for each in history.windows if each.performance is not None or each.drift is not None]
    newest = watched[-1] if watched else ""
    standing = [each for each in alarms if each.window == newest]
    if standing:
        kinds = " and ".join(dict.fromkeys(each.kind for each in standing))
        return Verdict("rejected", words, f"{since}. The newest window, {newest}, has an alarm: {kinds}.")
    return Verdict("passed", words, f"{since}.")


def alarms_of(windows: Sequence[WatchedWindow]) -> Iterator[Alarm]:
    """Yield the alarms, the newest window first."""
    for each in reversed(windows):
        if each.performance is not None and each.performance.alarm:
            begins, sentence = each.performance.alarm_start, performance_sentence(each.performance)
            yield Alarm(each.name, "performance", begins, sentence, "")
        if each.drift is not None and each.drift.alarm:
            yield Alarm(each.name, "drift", each.drift.alarm_start, drift_sentence(each.drift), each.drift_url)


def model_chart(models: Sequence[Model]) -> SeriesChart | None:
    """Return the holdout metric of each model, and of those that became champion."""
    if not models:
        return None
    metric = models[-1].report.evaluation.primary_metric
    alike = [each for each in models if each.report.evaluation.primary_metric == metric]
    return series_chart(
        "Models on their holdouts",
        f"{metric} of each model on its own holdout; holdouts differ, so that the decisions count and not these lines",
        [each.name for each in alike],
        {
            "each model": [each.value for each in alike],
            "promoted": [each.value if each.was_promoted else None for each in alike],
        },
    )


def metric_chart(windows: Sequence[WatchedWindow]) -> SeriesChart | None:
    """Return the metric of the champion of each window, beside its value at promotion and the estimate."""
    alike = _measured_alike(windows)
    if not alike:
        return None
    metric = alike[-1][1].metric
    estimates = [report.estimate for _, report in alike]
    return series_chart(
        "Champion on new rows",
        f"{metric} of the champion on rows that it has not learned from",
        [name for name, _ in alike],
        {
            "measured": [report.value_now for _, report in alike],
            "at promotion": [report.value_at_promotion for _, report in alike],
            "estimated without labels": [None if each is None else each.value for each in estimates],
        },
        marked=[report.alarm for _, report in alike],
    )


def baseline_chart(windows: Sequence[WatchedWindow]) -> SeriesChart | None:
    """Return the metric of the champion and that of a model that ignores the features, by window."""
    alike = _measured_alike(windows)
    baseline = [report.baseline_now for _, report in alike]
    if all(value is None for value in baseline):
        return None
    return series_chart(
        "Champion and baseline",
        f"{alike[-1][1].metric} of the champion and of the training target's mean or shares alone",
        [name for name, _ in alike],
        {"champion": [report.value_now for _, report in alike], "baseline": baseline},
    )


def _measured_alike(windows: Sequence[WatchedWindow]) -> list[tuple[str, PerformanceReport]]:
    """Return the windows that were measured in the metric of the newest."""
    known = [(each.name, each.performance) for each in windows if each.performance is not None]
    return [(name, report) for name, report in known if report.metric == known[-1][1].metric]


def _drift_charts(windows: Sequence[WatchedWindow]) -> list[SeriesChart | None]:
    known = [
        WindowDrift.of(each.drift).model_copy(update={"partition": each.name})
        for each in windows
        if each.drift is not None
    ]
    return drift_charts(known) if known else []


def _predictions_chart(windows: Sequence[WatchedWindow]) -> SeriesChart | None:
    known = [each for each in windows if each.predicted is not None or each.answered is not None]
    counts = {
        "in batches": [None if each.predicted is None else float(each.predicted) for each in known],
        "by the endpoint": [None if each.answered is None else float(each.answered) for each in known],
    }
    most = max((count for counted in counts.values() for count in counted if count), default=1.0)
    names, ends = [each.name for each in known], (0.0, 1.06 * most)
    return series_chart("Rows predicted", "Predicted rows of each window", names, counts, ends=ends)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "readable": readable,
    "number": number,
    "significant": significant,
    "verdict_of": verdict_of,
}
