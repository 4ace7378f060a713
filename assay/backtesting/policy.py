"""A champion of the past: how it is monitored, decided on and replaced, as a live one is."""

import datetime as dt
from dataclasses import dataclass, field

from assay.learning.evaluation.bootstrap import units_of
from assay.learning.evaluation.metrics import primary_metric
from assay.learning.splitting import Split
from assay.monitoring.drift import DriftReport, evaluate_drift
from assay.monitoring.performance import PerformanceReport, evaluate_performance
from assay.monitoring.reference import KnownRows, MonitoredWindow, Reference, RowsOf
from assay.monitoring.seasons import season_partition
from assay.promotion.comparable_rows import incompatibility_reason
from assay.promotion.decision import PromotionDecision, decide
from assay.results.evaluation_report import EvaluationReport
from assay.results.trained_model import TrainedModel
from assay.specs.pipeline import PipelineSpec


@dataclass(frozen=True, slots=True)
class PastModel:
    """A model of the past, as published for one partition.

    Attributes:
        partition: key of the partition that the model is evaluated on.
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


@dataclass(slots=True)
class Policy:
    """A champion of the past with its monitoring.

    Attributes:
        spec: the pipeline.
        rows_of: the validated rows of a partition.
        alarms: the alarms that a training must answer; None where every model is a challenger.
        champion: serves the next partition.
        reference: the champion as monitoring compares with it.
        drifts: reports, oldest first.
        performances: likewise.
    """

    spec: PipelineSpec
    rows_of: RowsOf
    alarms: frozenset[str] | None = None
    champion: PastModel | None = None
    reference: Reference | None = None
    drifts: list[DriftReport] = field(default_factory=list)
    performances: list[PerformanceReport] = field(default_factory=list)

    def watch(self, now: PastModel, labelled: PastModel) -> None:
        """Evaluate the newest rows, and the newest labelled ones, against the champion."""
        champion, rule = self.champion, self.spec.monitoring
        if champion is None or self.reference is None or rule is None:
            return
        if incompatibility_reason(champion.model.manifest, now.split, self.spec):
            return
        trained_on = sorted(champion.split.data_digests.keys() - {champion.partition})
        season = season_partition(self.spec, now.partition, trained_on[-1])
        rows = self.rows_of(season) if season else None
        known = KnownRows(
            labelled.partition,
            labelled.split.holdout,
            labelled.partition in trained_on,
            units_of(labelled.split.holdout_table, self.spec),
        )
        window = MonitoredWindow(
            partition=now.partition,
            features=now.split.holdout.features,
            labelled=known,
            unlearned=known,
            season=KnownRows(season, rows) if season and rows is not None else None,
            metric_columns=now.split.holdout.metric_columns,
        )
        if rule.drift is not None:
            self.drifts.append(evaluate_drift(window, self.reference, self.drifts, self.spec))
        if rule.performance is not None:
            self.performances.append(evaluate_performance(window, self.reference, self.performances, self.spec))

    def reports(self, partition: str) -> tuple[DriftReport | None, PerformanceReport | None]:
        """Return the reports of a partition."""
        drift = next((one for one in self.drifts if one.partition == partition), None)
        return drift, next((one for one in self.performances if one.partition == partition), None)

    def decide(self, now: PastModel, challenger: PastModel) -> PromotionDecision | None:
        """Decide on a challenger, and replace the champion; None where no training is due."""
        if self.champion is not None and self.alarms is not None and not self._training_due(now):
            return None
        before = self.champion.model if self.champion else None
        decision = decide(challenger.model, before, challenger.split, challenger.report, self.spec)
        if decision.promotes:
            self.champion, self.reference = challenger, _reference(challenger, self.spec)
        return decision

    def _training_due(self, now: PastModel) -> bool:
        named = zip(("drift", "performance"), self.reports(now.partition), strict=True)
        return any(name in (self.alarms or ()) and report is not None and report.training_due for name, report in named)


def _reference(past: PastModel, spec: PipelineSpec) -> Reference:
    return Reference(
        version=past.partition,
        model=past.model,
        value_at_promotion=past.report.metrics.get(primary_metric(spec).name),
        train=past.split.train,
        holdout=past.split.holdout,
        spec=spec,
        holdout_units=units_of(past.split.holdout_table, spec),
    )
