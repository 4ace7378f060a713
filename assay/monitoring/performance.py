"""Performance monitoring: the champion's primary metric on new labelled rows against its value at promotion."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from assay.learning.evaluation.bootstrap import Units, resampled
from assay.learning.evaluation.evaluating import truth_of
from assay.learning.evaluation.metrics import Measured, measure, primary_metric
from assay.learning.evaluation.predictions import predict
from assay.learning.splitting import LabelledRows
from assay.promotion.champion import CurrentChampion
from assay.specs.base import Spec
from assay.specs.operations import PerformanceSpec
from assay.specs.pipeline import PipelineSpec

_ALL_LEARNED = "the champion may have learned from every row of this window"
_NOT_RECORDED = "which rows the champion has learned from is not known, as a model of an earlier version does not say"


class PerformanceReport(Spec):
    """The champion's performance on one window of labelled rows."""

    pipeline: str
    partition: str
    champion_version: str
    metric: str
    rows: int
    """Rows that the champion has not learned from."""
    learned_rows: int | None = 0
    """Other rows of the window, which are left out; missing where it is not known which they are, and all are."""
    value_at_promotion: float | None
    """On the champion's own holdout; missing where it was not recorded."""
    value_now: float | None
    """Missing where it cannot be computed; `reason` says why."""
    reason: str = ""
    loss: float | None = None
    """Loss since promotion in the metric's unit; positive is worse for every metric."""
    share_worse: float | None = None
    """Share of bootstrap resamples of the window that lose more than `max_loss`."""
    degraded: bool = Field(default=False, validation_alias="worn", serialization_alias="worn")
    alarm: bool = False
    """Whether the champion is degraded in enough consecutive windows."""
    alarm_start: bool = Field(default=False, validation_alias="rising", serialization_alias="rising")
    """Whether this window is the first of the alarm."""


def evaluate_performance(
    champion: CurrentChampion,
    rows: LabelledRows,
    earlier: Sequence[PerformanceReport],
    spec: PipelineSpec,
    *,
    partition: str,
    trained_on: bool = False,
    learned_rows: int | None = 0,
) -> PerformanceReport:
    """Measure the champion on rows that it has not learned from, and compare the value with that of its promotion.

    Args:
        champion: the current champion.
        rows: labelled rows that the champion has not learned from.
        earlier: reports of the windows before this one, oldest first.
        spec: the pipeline.
        partition: the window's key; empty without partitions.
        trained_on: whether the champion's own window is this one; then there is no verdict.
        learned_rows: how many rows of the window are left out; None where it is not known which the champion has
            learned from.
    """
    rule = spec.monitoring.performance if spec.monitoring else None
    metric, truth = primary_metric(spec), truth_of(rows)
    model, value_at_promotion = champion.model, champion.value_at_promotion
    if len(truth):
        predictions = predict(model.estimator, rows.features, model.manifest.classes, spec.task)
        now = measure(metric, truth, predictions)
    else:
        now = Measured(None, _ALL_LEARNED if learned_rows is not None else _NOT_RECORDED)
    report = PerformanceReport(
        pipeline=spec.name,
        partition=partition,
        champion_version=champion.version,
        metric=metric.name,
        rows=len(truth),
        learned_rows=learned_rows,
        value_at_promotion=value_at_promotion,
        value_now=now.value,
        reason=now.reason,
    )
    if trained_on or rule is None or now.value is None or value_at_promotion is None:
        return report
    values = resampled(metric, truth, predictions, Units(), spec.training.seed)
    # a resample without a value is no evidence of a loss
    share = float(np.mean(metric.sign * (value_at_promotion - values) > rule.max_loss))
    loss = metric.gain(now.value, value_at_promotion)
    found = {"loss": loss, "share_worse": share, "degraded": share >= rule.confidence}
    return with_alarm(report.model_copy(update=found), earlier, rule)


def with_alarm(
    report: PerformanceReport, earlier: Sequence[PerformanceReport], rule: PerformanceSpec
) -> PerformanceReport:
    """Return the report with its alarm: `alarm_windows` consecutive windows are degraded under the same champion."""
    comparable = [one for one in earlier if one.champion_version == report.champion_version]
    run = [*comparable, report][-rule.alarm_windows :]
    alarm = len(run) == rule.alarm_windows and all(one.degraded for one in run)
    before = bool(comparable and comparable[-1].alarm)
    return report.model_copy(update={"alarm": alarm, "alarm_start": alarm and not before})
