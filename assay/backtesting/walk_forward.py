"""The walk forward: the policies of promotion and drift over models trained as of each partition, and its report."""

import datetime as dt
import statistics
from collections import deque
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assay.backtesting.policy import PastModel, Policy
from assay.data.dataset import ValidatedDataset
from assay.data.source_rows import partition_span, wall_times
from assay.errors import EmptyDataError, LearningError
from assay.learning.evaluation.drawing import BLUE, GREEN, GREY, MARKERS, PURPLE, VERMILLION, draw
from assay.learning.evaluation.evaluating import truth_of
from assay.learning.evaluation.metrics import measure, primary_metric
from assay.learning.splitting import Split
from assay.monitoring.reference import RowsOf
from assay.monitoring.seasons import partition_before
from assay.promotion.comparable_rows import incompatibility_reason
from assay.promotion.comparison import predicted
from assay.results.trained_model import TrainedModel
from assay.specs.base import Spec
from assay.specs.pipeline import PipelineSpec

STALE, RETRAINED, CHAMPION, ON_ALARM = "stale model", "retrained", "champion", "retrained on alarms"


class AsOfResult(Spec):
    """How the models of one as-of time performed on the partition that came next."""

    partition: str
    """The partition that they are evaluated on; the retrained model was trained on earlier ones."""
    rows: int
    """Rows of the partition."""
    stale: float | None
    """Primary metric of the first model, never retrained; missing where it cannot predict these rows."""
    retrained: float | None
    """Primary metric of the newest model whose training rows were labelled by this time."""
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
    degraded_by: tuple[str, ...] = ()
    """What degraded the champion on the newest labelled rows, under `monitoring.performance`."""
    performance_alarm: bool = False
    """Whether the champion was degraded in enough partitions for an alarm."""
    estimated: float | None = None
    """The champion's primary metric on the partition, estimated without its labels."""
    on_alarm: float | None = None
    """Primary metric of a champion that is retrained only for alarms of `retrain_on`; missing without such."""
    alarm_training: str = ""
    """The decision on a training that answers an alarm of that champion; empty if none was due."""
    newest_labelled: str = ""
    """The newest partition whose target was known at this time."""
    as_of: dt.datetime
    """Start of the partition; every training row must be earlier."""

    @property
    def values(self) -> dict[str, float | None]:
        """Primary metric by policy."""
        known = {STALE: self.stale, RETRAINED: self.retrained, CHAMPION: self.champion}
        return known if self.on_alarm is None else known | {ON_ALARM: self.on_alarm}

    @property
    def looks_ahead(self) -> bool:
        """Whether the model was trained on a row (or else a partition) of its as-of time or later."""
        if self.newest_training_row is not None and self.newest_training_row >= self.as_of:
            return True
        known = self.newest_labelled
        return any(key >= self.partition or (known and key > known) for key in self.trained_on)


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
    def alarm_policy(self) -> bool:
        """Whether a champion that is retrained only for alarms was replayed."""
        return any(result.on_alarm is not None for result in self.results)

    @property
    def alarm_trainings(self) -> int:
        """How many trainings alarms would have started."""
        return sum(bool(result.alarm_training) for result in self.results)

    @property
    def looking_ahead(self) -> tuple[str, ...]:
        """The as-of times whose model saw later rows; empty in a sound backtest."""
        return tuple(result.partition for result in self.results if result.looks_ahead)

    def means(self) -> dict[str, float | None]:
        """Return each policy's mean primary metric over the as-of times at which all have a value."""
        names = (STALE, RETRAINED, CHAMPION, *((ON_ALARM,) if self.alarm_policy else ()))
        lines = [[result.values.get(name) for name in names] for result in self.results]
        shared = [line for line in lines if None not in line]
        return {
            name: statistics.fmean(line[number] or 0.0 for line in shared) if shared else None
            for number, name in enumerate(names)
        }


def replay(past: Iterable[PastModel], spec: PipelineSpec, rows_of: RowsOf = lambda _: None) -> BacktestReport:
    """Walk forward through the past: never retrain, always retrain, promotion, and promotion only after alarms.

    Promotion starts without a champion and decides on each partition as `promotion.decide` does. The champion's value
    is that of the champion before the decision, since that model would have served the rows. It is monitored as a live
    champion is, by the same functions. The champion that is retrained only for alarms is replayed where
    `automation.retrain_on` names alarms; it is monitored by itself.

    With `monitoring.label_delay` a model serves, and is decided on, as many partitions later as its labels come.

    Args:
        past: oldest first; consumed one by one, so that one window is in memory (and one for each partition of delay).
        spec: the pipeline, partitioned by time and split by time.
        rows_of: the validated rows of a partition, for comparisons with the same season.

    Returns:
        One result for each partition at which there was a model.

    Raises:
        EmptyDataError: there is no model of the past.
        LearningError: a model was trained on other rows than are published now.
    """
    delay = spec.monitoring.label_delay if spec.monitoring else 0
    alarms = frozenset(spec.automation.retrain_on) - {"new_data", "joined_data"}
    policy, on_alarm = Policy(spec, rows_of), Policy(spec, rows_of, alarms) if alarms else None
    recent: deque[PastModel] = deque(maxlen=delay + 1)
    first: PastModel | None = None
    results: list[AsOfResult] = []
    for now in past:
        _require_same_data(now, spec)
        recent.append(now)
        first = first or now
        if len(recent) <= delay:
            continue
        results.append(_result(now, recent[0], first, (policy, on_alarm), spec))
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
    challenger: PastModel,
    first: PastModel,
    policies: tuple[Policy, Policy | None],
    spec: PipelineSpec,
) -> AsOfResult:
    """Return the result of one partition; the policies go on to the next one."""
    policy, on_alarm = policies
    serving = [each.champion if each else None for each in policies]
    values = [_value(each.model, now.split, spec) if each else None for each in serving]
    for each in policies:
        if each is not None:
            each.watch(now, challenger)
    drift, performance = policy.reports(now.partition)
    decision = policy.decide(now, challenger)
    answer = on_alarm.decide(now, challenger) if on_alarm else None
    retrained = now.report.metrics[primary_metric(spec).name] if challenger is now else None
    return AsOfResult(
        partition=now.partition,
        rows=len(now.split.holdout.target),
        stale=_value(first.model, now.split, spec),
        retrained=_value(challenger.model, now.split, spec) if retrained is None else retrained,
        champion=values[0],
        verdict=decision.verdict if decision else "",
        trained_on=tuple(sorted(challenger.split.data_digests.keys() - {challenger.partition})),
        newest_training_row=challenger.newest_training_row,
        drifted=drift.drifted if drift else (),
        drift_alarm=drift.alarm_features if drift else (),
        degraded_by=performance.degraded_by if performance else (),
        performance_alarm=bool(performance and performance.alarm),
        estimated=performance.estimate.value if performance and performance.estimate else None,
        on_alarm=values[1],
        alarm_training=answer.verdict if answer and serving[1] else "",
        newest_labelled=partition_before(spec, challenger.partition, 1) or "",
        as_of=partition_span(spec.dataset.partitions, now.partition)[0],
    )


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
        names = (STALE, RETRAINED, CHAMPION, *((ON_ALARM,) if report.alarm_policy else ()))
        for name, color, marker in zip(names, (VERMILLION, BLUE, GREEN, PURPLE), MARKERS, strict=False):
            values = [result.values.get(name) for result in report.results]
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
