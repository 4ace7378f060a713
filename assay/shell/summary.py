"""What a command or a run ends with: verdict of the gate, model, metrics and decision, of their stored values."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from assay.counting import counted
from assay.data.dataset import GateReceipt, GateWarning
from assay.gate.report import GateReport
from assay.promotion.champion import ChampionRecord
from assay.promotion.decision import PromotionDecision
from assay.promotion.people import commands_for
from assay.results.evaluation_report import EvaluationReport
from assay.results.search_result import BestHyperparameters

Tone: TypeAlias = Literal["", "good", "doubtful", "bad"]
_MOST_WARNINGS = 5
_MOST_PARAMETERS = 12


@dataclass(frozen=True, slots=True)
class Fact:
    """One line: its name, a text that may be long, and what it means for people."""

    name: str
    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric of a model beside the baseline's and the champion's.

    Attributes:
        name: of the metric.
        holdout: the model's value.
        interval: its 95 % bootstrap interval; None where it has none.
        baseline: of the model that ignores the features; None where it cannot be computed.
        champion: the champion's value; None without a comparison.
        compared: the model's value on the rows of the champion's, where these are not the whole holdout.
    """

    name: str
    holdout: float
    interval: tuple[float, float] | None = None
    baseline: float | None = None
    champion: float | None = None
    compared: float | None = None

    def cells(self) -> tuple[str, str, str, str, str]:
        """Return name, value, interval, baseline and champion as texts; what is missing is empty."""
        interval = f"{self.interval[0]:.4g} to {self.interval[1]:.4g}" if self.interval else ""
        against = "" if self.compared is None else f" (model {self.compared:.4g})"
        champion = "" if self.champion is None else f"{self.champion:.4g}{against}"
        baseline = "" if self.baseline is None else f"{self.baseline:.4g}"
        return self.name, f"{self.holdout:.4g}", interval, baseline, champion


@dataclass(frozen=True, slots=True)
class Summary:
    """One table: facts, then metrics, then addresses."""

    title: str
    facts: tuple[Fact, ...] = ()
    metrics: tuple[MetricRow, ...] = ()
    rows_note: str = ""
    """On which rows the champion was measured, where these are not the whole holdout."""
    addresses: tuple[Fact, ...] = ()
    champion: str = "champion"
    """Whose the champion's values are, for the header."""


def metric_cells(summary: Summary) -> list[tuple[str, ...]]:
    """Return header and rows without the columns that are empty in all rows; nothing without a metric."""
    if not summary.metrics:
        return []
    rows = [each.cells() for each in summary.metrics]
    header = ("metric", "holdout", "95 % interval", "baseline", summary.champion)
    kept = [number for number in range(len(header)) if any(row[number] for row in rows)]
    return [tuple(row[number] for number in kept) for row in (header, *rows)]


def gate_facts(receipt: GateReceipt) -> Iterator[Fact]:
    """Yield the gate's verdict on the rows of one partition, and what it warned of."""
    rows = counted(receipt.rows, "row")
    if receipt.verdict == "failed":
        yield Fact("gate", f"refused {rows}: {', '.join(receipt.failed_rules)}", "bad")
    else:
        number = len(receipt.warnings)
        found = f", with {counted(number, 'warning')}" if number else ", without a warning"
        yield Fact("gate", f"passed {rows}{found}", "good")
    yield from warning_facts(receipt.warnings)


def failure_facts(report: GateReport) -> Iterator[Fact]:
    """Yield what the failed rules that block found, the first five columns of each."""
    for rule in report.rules:
        if rule.passed or rule.severity != "ERROR":
            continue
        for each in rule.failures[:_MOST_WARNINGS]:
            rows = f" in {each.count:,} of {report.rows_judged:,} rows" if each.row_numbers else ""
            expected = f"; expected {each.expected}" if each.expected else ""
            found = f"{rule.name}, {each.column or 'the table'}: {each.found}{rows}{expected}"
            yield Fact("refused by", found, "bad")


def warning_facts(warnings: Iterable[GateWarning]) -> Iterator[Fact]:
    """Yield the first warnings of the gate, and how many are left out."""
    listed = tuple(warnings)
    for each in listed[:_MOST_WARNINGS]:
        of = f" of {each.column}" if each.column else ""
        yield Fact("gate warns", f"{each.rule}{of}: {each.found}", "doubtful")
    left = len(listed) - _MOST_WARNINGS
    if left > 0:
        yield Fact("gate warns", f"and {left} more, in the gate's report", "doubtful")


def search_facts(best: BestHyperparameters, *, searched_alone: bool = False) -> Iterator[Fact]:
    """Yield family and parameters, and how they were found.

    Args:
        best: what the search gave.
        searched_alone: whether no model follows, whose metrics say more than the validation's.
    """
    yield Fact("family", best.family)
    yield Fact("parameters", parameters_text(best.parameters))
    if not best.searched:
        yield Fact("search", "nothing was searched")
        return
    without = sum(each.value is None for each in best.trials)
    trials = counted(len(best.trials), "trial")
    text = f"{trials}, {without} of them without a score" if without else trials
    value = f"; best {best.metric} {best.value:.4g} on validation rows" if best.value is not None else ""
    yield Fact("search", text + value)
    if best.tie_text:
        yield Fact("search", best.tie_text)
    if best.recalibration is not None:
        yield Fact("search", best.recalibration.in_words)
    if searched_alone and best.early_end:
        yield Fact("search", best.early_end)


def parameters_text(parameters: Mapping[str, object]) -> str:
    """Return parameters on one line, floats short; beyond twelve their number."""
    shown = [
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in parameters.items()
    ]
    left = len(shown) - _MOST_PARAMETERS
    more = [f"and {left} more"] if left > 0 else []
    return ", ".join([*shown[:_MOST_PARAMETERS], *more]) or "the family's own defaults"


def metric_rows(report: EvaluationReport, decision: PromotionDecision | None = None) -> tuple[MetricRow, ...]:
    """Return every metric of the holdout, the primary one first, beside the baseline's and the champion's."""
    compared = decision.values[0] if decision is not None and decision.values else None
    names = sorted(report.metrics, key=lambda name: name != report.primary_metric)
    champion = compared.champion if compared is not None else {}
    same_rows = compared is not None and compared.rows == report.holdout_rows
    own = compared.challenger if compared is not None and not same_rows else {}
    return tuple(
        MetricRow(
            name, report.metrics[name], report.intervals.get(name), report.baseline.get(name), champion.get(name),
            own.get(name),
        )
        for name in names
    )  # fmt: skip


def rows_note(report: EvaluationReport, decision: PromotionDecision | None = None) -> str:
    """Return on which rows both models were compared; empty where these are the whole holdout, or nothing was."""
    if decision is None or not decision.values or decision.values[0].rows == report.holdout_rows:
        return ""
    return f"the champion on {decision.values[0].rows:,} of {report.holdout_rows:,} holdout rows, which both may judge"


def missing_facts(report: EvaluationReport) -> Iterator[Fact]:
    """Yield the metrics without a value, and why the holdout may be too good to be true."""
    for name, why in report.missing_metrics.items():
        yield Fact("not computed", f"{name}: {why}", "doubtful")
    for doubt in report.doubts:
        yield Fact("doubt", doubt, "doubtful")


def decision_facts(record: ChampionRecord) -> Iterator[Fact]:
    """Yield the decision, whose reason begins with the verdict, the champion after it, and what a person can do."""
    yield Fact("decision", record.decision.reason)
    yield Fact("champion", champion_text(record))
    if record.proposed_version:
        yield Fact("to decide", commands_for(record.pipeline, record.proposed_version))
    if record.against_production is not None:
        against = f"version {record.production_version}" if record.production_version else "no champion"
        yield Fact("in production", f"compared with {against}: {record.against_production.reason}")


def champion_text(record: ChampionRecord) -> str:
    """Return which registered version is champion after a decision, and whether the decision changed it."""
    if record.version is None:
        return f"{record.registered_name} has none"
    named = f"{record.registered_name} version {record.version}"
    if not record.decision.promotes:
        return f"{named}, as before"
    return (
        f"{named}, in place of version {record.previous_version}"
        if record.previous_version
        else f"{named}, where there was none"
    )
