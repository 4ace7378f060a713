"""The replay of the promotion and drift policies over the models that a backfill trained as of each partition."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from assay.backtesting.report import AsOfResult, BacktestReport
from assay.data.dataset import ValidatedDataset
from assay.data.source_rows import partition_span, wall_times
from assay.errors import EmptyDataError, LearningError
from assay.learning.evaluation.evaluating import truth_of
from assay.learning.evaluation.metrics import measure, primary_metric
from assay.learning.splitting import Split
from assay.monitoring.drift import DriftReport, compare_features, with_alarm
from assay.promotion.decision import PromotionDecision, decide, incompatibility_reason, predicted
from assay.results.evaluation_report import EvaluationReport
from assay.results.trained_model import TrainedModel
from assay.specs.pipeline import PipelineSpec


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
    """Return the latest time in a column, without zone; None without a column or without times.

    Args:
        partitions: training partitions.
        column: dates or times.
        zone: of the partitions, to which times with a zone are converted.
    """
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
