"""The walk forward: the policies of promotion and drift over models trained as of each partition, and its report."""

import datetime as dt
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assay.data.dataset import ValidatedDataset
from assay.data.source_rows import partition_span, wall_times
from assay.errors import EmptyDataError, LearningError
from assay.learning.evaluation.drawing import BLUE, GREEN, GREY, MARKERS, VERMILLION, draw
from assay.learning.evaluation.evaluating import truth_of
from assay.learning.evaluation.metrics import measure, primary_metric
from assay.learning.splitting import Split
from assay.monitoring.drift import DriftReport, compare_features, with_alarm
from assay.promotion.comparable_rows import incompatibility_reason
from assay.promotion.comparison import predicted
from assay.promotion.decision import PromotionDecision, decide
from assay.results.evaluation_report import EvaluationReport
from assay.results.trained_model import TrainedModel
from assay.specs.base import Spec
from assay.specs.pipeline import PipelineSpec

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
    def values(self) -> dict[str, float | None]:
        """Primary metric by policy."""
        return {STALE: self.stale, RETRAINED: self.retrained, CHAMPION: self.champion}

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
        shared = [values for each in self.results if None not in (values := each.values).values()]
        return {
            name: statistics.fmean(values[name] or 0.0 for values in shared) if shared else None
            for name in (STALE, RETRAINED, CHAMPION)
        }


@dataclass(frozen=True, slots=True)
class PastModel:
    """A model of the past, as published for one partition.

    Attributes:
        partition: its key.
        model: trained on the partitions before it.
        report: the model's evaluation on it.
        split: the window's rows; the partition is the holdout.
        newest_training_row: latest time of a training row; None without a time column.
    """

    partition: str
    model: TrainedModel
    report: EvaluationReport
    split: Split
    newest_training_row: dt.datetime | None


def replay(past: Iterable[PastModel], spec: PipelineSpec) -> BacktestReport:
    """Walk forward through the past with three policies: never retrain, always retrain, and promotion.

    Promotion starts without a champion and decides on each partition as `promotion.decide` does. The champion's value
    is that of the champion before the decision, since that model would have served the rows. Drift is measured from
    that model's training rows, if the pipeline monitors drift.

    Args:
        past: oldest first; consumed one by one, so that one window is in memory.
        spec: the pipeline, partitioned by time and split by time.

    Returns:
        One result for each partition.

    Raises:
        EmptyDataError: there is no model of the past.
        LearningError: a model was trained on other rows than are published now.
    """
    first: PastModel | None = None
    champion: PastModel | None = None
    drifts: list[DriftReport] = []
    results: list[AsOfResult] = []
    for now in past:
        _require_same_data(now, spec)
        first = first or now
        drifts += [] if champion is None else _drift(champion, now, drifts, spec)
        decision = decide(now.model, champion.model if champion else None, now.split, now.report, spec)
        results.append(_result(now, first, champion, decision, drifts, spec))
        champion = now if decision.promotes else champion
    if not results:
        raise EmptyDataError(
            "there is no model of the past",
            where=f"{spec.name}/backtest_report",
            remedy="materialise the pipeline's assets for a range of partitions first",
        )
    primary = primary_metric(spec)
    return BacktestReport(
        pipeline=spec.name,
        metric=primary.name,
        greater_is_better=primary.greater_is_better,
        results=tuple(results),
    )


def _result(
    now: PastModel,
    first: PastModel,
    champion: PastModel | None,
    decision: PromotionDecision,
    drifts: Sequence[DriftReport],
    spec: PipelineSpec,
) -> AsOfResult:
    drift = next((one for one in drifts if one.partition == now.partition), None)
    return AsOfResult(
        partition=now.partition,
        rows=len(now.split.holdout.target),
        stale=_value(first.model, now.split, spec),
        retrained=now.report.metrics[primary_metric(spec).name],
        champion=_value(champion.model, now.split, spec) if champion else None,
        verdict=decision.verdict,
        trained_on=tuple(sorted(now.split.data_digests.keys() - {now.partition})),
        newest_training_row=now.newest_training_row,
        drifted=drift.drifted if drift else (),
        drift_alarm=drift.alarm_features if drift else (),
        as_of=partition_span(spec.dataset.partitions, now.partition)[0],
    )


def _drift(
    champion: PastModel, now: PastModel, earlier: Sequence[DriftReport], spec: PipelineSpec
) -> list[DriftReport]:
    """Return the drift of the new rows from the champion's training rows; empty where it is not monitored."""
    rule = spec.monitoring.drift if spec.monitoring else None
    if rule is None or incompatibility_reason(champion.model.manifest, now.split, spec):
        return []
    before, after = champion.split.train.features, now.split.holdout.features
    report = DriftReport(
        pipeline=spec.name,
        partition=now.partition,
        champion_version=champion.partition,
        reference_rows=len(before),
        window_rows=len(after),
        status="judged",
        features=compare_features(before, after, champion.model.manifest.features, rule),
    )
    return [with_alarm(report, earlier, rule)]


def newest_row(partitions: Iterable[ValidatedDataset], column: str | None, zone: str = "UTC") -> dt.datetime | None:
    """Return the latest time in a column, converted to the zone and without it; None without a column or times."""
    if column is None:
        return None
    newest = [
        pc.max(wall_times(dataset.table.column(column), zone).cast(pa.timestamp("us"), safe=False)).as_py()
        for dataset in partitions
        if column in dataset.table.column_names
    ]
    return max((moment for moment in newest if moment is not None), default=None)


def _value(model: TrainedModel, split: Split, spec: PipelineSpec) -> float | None:
    if incompatibility_reason(model.manifest, split, spec):
        return None
    return measure(primary_metric(spec), truth_of(split.holdout), predicted(model, split, spec)).value


def _require_same_data(now: PastModel, spec: PipelineSpec) -> None:
    learned, published = now.model.manifest.data_digests, now.split.data_digests
    if learned != published:
        changed = sorted(key for key in learned | published if learned.get(key) != published.get(key))
        raise LearningError(
            "a model was trained on other rows than are published now",
            where=f"{spec.name}/trained_model, partition {now.partition}",
            found=f"other rows in {', '.join(changed)}",
            expected="the window that the pipeline asks for, unchanged since the training",
            remedy=f"materialise best_hyperparameters to champion_model of {now.partition} again",
        )


_MOST_TICKS = 12


def walk_forward_plot(report: BacktestReport) -> bytes:
    """Return a PNG of the primary metric of stale, retrained and champion model by as-of time, with promotions."""
    keys = [result.partition for result in report.results]

    def paint(axes: Any) -> None:
        positions = range(len(keys))
        for name, color, marker in zip((STALE, RETRAINED, CHAMPION), (VERMILLION, BLUE, GREEN), MARKERS, strict=False):
            values = [result.values[name] for result in report.results]
            known = [float("nan") if value is None else value for value in values]
            axes.plot(positions, known, color=color, marker=marker, markersize=5, label=name)
        promoted = [position for position, result in enumerate(report.results) if result.verdict == "promoted"]
        for number, position in enumerate(promoted):
            axes.axvline(position, color=GREY, linewidth=0.8, linestyle=":", label="promotion" if number == 0 else None)
        step = -(-len(keys) // _MOST_TICKS)
        axes.set_xticks(list(positions)[::step], keys[::step], rotation=45, ha="right")

    better = "more is better" if report.greater_is_better else "less is better"
    title = f"Walk forward\n{len(keys)} as-of times, {report.promotions} promotions"
    return draw(title, "As of the start of", f"{report.metric} ({better})", paint, names=True)
