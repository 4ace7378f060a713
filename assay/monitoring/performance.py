"""Performance monitoring: the champion on rows whose target is known, and its expected metric on rows without.

The loss since promotion is the difference of two noisy values, that of the holdout and that of the window. The
champion is degraded where the loss exceeds `max_loss` beyond the noise of both. Two further findings degrade it:
predictions that do not mean what they meant (calibration), and a champion that is no better than the baseline.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from assay.learning.evaluation.evaluating import baseline_predictions, truth_of
from assay.learning.evaluation.metrics import Metric, measure, primary_metric
from assay.monitoring.alarms import alarm_state
from assay.monitoring.calibration import CalibrationShift, calibration_shift
from assay.monitoring.estimates import PerformanceEstimate
from assay.monitoring.reference import MonitoredWindow, Reference
from assay.monitoring.scored import Scored, standard_error
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
    labelled_partition: str = ""
    """The partition whose labelled rows were judged: with a label delay an earlier one; empty without partitions."""
    rows: int
    """Rows that the champion has not learned from."""
    learned_rows: int | None = 0
    """Other rows of the window, which are left out; missing where it is not known which they are, and all are."""
    value_at_promotion: float | None
    """On the champion's own holdout; missing where it was not recorded."""
    value_now: float | None
    """Missing where it cannot be computed; `reason` says why."""
    baseline_now: float | None = None
    """The same metric of a model that ignores the features; missing where the training rows are not known."""
    reason: str = ""
    loss: float | None = None
    """Loss since promotion in the metric's unit; positive is worse for every metric."""
    loss_lower: float | None = None
    """Ends of the interval of the loss, at `confidence` on each side, with the noise of holdout and window."""
    loss_upper: float | None = None
    share_worse: float | None = None
    """Probability that the loss exceeds `max_loss`, given the noise of holdout and window."""
    calibration: CalibrationShift | None = None
    """Missing without probabilities, with too few rows, or where the holdout is not known."""
    estimate: PerformanceEstimate | None = None
    """Of the newest rows, without their labels."""
    degraded: bool = Field(default=False, validation_alias="worn", serialization_alias="worn")
    degraded_by: tuple[Literal["loss", "calibration", "baseline"], ...] = ()
    """`baseline`: the champion is no better than the baseline and surely worse than at promotion."""
    alarm: bool = False
    """Whether the champion is degraded in enough consecutive windows, or no better than the baseline in this one."""
    alarm_start: bool = Field(default=False, validation_alias="rising", serialization_alias="rising")
    """Whether the alarm begins, or begins again, in this window."""
    training_due: bool = False
    """Whether the training of this window answers an alarm: its training rows hold a window of the alarm."""


def evaluate_performance(
    window: MonitoredWindow, reference: Reference, earlier: Sequence[PerformanceReport], spec: PipelineSpec
) -> PerformanceReport:
    """Measure the champion on labelled rows that it has not learned from, and estimate its metric on the newest rows.

    There is no verdict on the champion's own window, and none without `monitoring.performance`.

    Args:
        window: the rows.
        reference: the champion and its rows.
        earlier: reports of the windows before this one, oldest first.
        spec: the pipeline.
    """
    rule, metric = spec.monitoring.performance if spec.monitoring else None, primary_metric(spec)
    report = PerformanceReport(
        pipeline=spec.name,
        partition=window.partition,
        champion_version=reference.version,
        metric=metric.name,
        rows=0,
        value_at_promotion=reference.value_at_promotion,
        value_now=None,
    )
    if rule is not None and rule.estimate and not window.trained_on:
        report = report.model_copy(update={"estimate": _estimate(window, reference, metric, rule)})
    report = report.model_copy(update=_known(window))
    rows = window.unlearned
    if rows is None or not report.rows:
        return report
    predictions = reference.predictions_of_known(rows)
    scored = Scored(rows.rows.features, truth_of(rows.rows), predictions, rows.units)
    now = measure(metric, scored.truth, scored.predictions)
    found = {"value_now": now.value, "reason": now.reason, "baseline_now": _baseline(scored, reference, metric)}
    if rows.trained_on or rule is None:
        return report.model_copy(update=found)
    report = report.model_copy(update=found | _loss(now.value, scored, reference, metric, rule))
    shift = None if reference.holdout_scored is None else calibration_shift(scored, reference.holdout_scored)
    return with_alarm(_degraded(report, shift, metric, rule), earlier, rule, spec)


def _known(window: MonitoredWindow) -> dict[str, Any]:
    """Return which rows are measured, and why none is."""
    labelled, unlearned = window.labelled, window.unlearned
    if labelled is None:
        return {"reason": "no labelled rows yet"}
    found: dict[str, Any] = {"labelled_partition": labelled.partition}
    if unlearned is None:
        return found | {"learned_rows": None, "reason": _NOT_RECORDED}
    rows = len(unlearned.rows.target)
    found |= {"rows": rows, "learned_rows": len(labelled.rows.target) - rows}
    return found if rows else found | {"reason": _ALL_LEARNED}


def _loss(
    now: float | None, scored: Scored, reference: Reference, metric: Metric, rule: PerformanceSpec
) -> dict[str, float]:
    """Return loss, interval and share; empty where either value or the noise is not known."""
    before, spec = reference.value_at_promotion, reference.spec
    noise = standard_error(metric, scored, spec.training.seed)
    if now is None or before is None or noise is None:
        return {}
    holdout = reference.holdout_scored
    rows_before = len(holdout.truth) if holdout else reference.model.manifest.holdout_rows
    loss = metric.gain(now, before)
    return loss_since(loss, (noise, len(scored.truth)), (reference.holdout_noise, rows_before), rule)


def loss_since(
    loss: float, now: tuple[float, int], before: tuple[float | None, int], rule: PerformanceSpec
) -> dict[str, float]:
    """Return a loss with its interval and the probability that it exceeds `max_loss`.

    The noise of one row is the same in both samples as long as nothing has changed, so the larger of both estimates
    counts for both: a holdout that happens to hold no hard case would make every window look worse.

    Args:
        loss: of the window's value, from the value at promotion.
        now: standard error of the window's value, and its rows.
        before: that of the holdout; without one the window's noise counts.
        rule: of the alarm.
    """
    (noise_now, rows_now), (noise_before, rows_before) = now, before
    of_a_row = max(noise_now**2 * rows_now, (noise_before or 0.0) ** 2 * rows_before)
    noise = math.sqrt(of_a_row * (1 / rows_now + 1 / max(rows_before, 1)))
    margin = _quantile(rule.confidence) * noise
    return {
        "loss": loss,
        "loss_lower": loss - margin,
        "loss_upper": loss + margin,
        "share_worse": _share_above(rule.max_loss, loss, noise),
    }


def _degraded(
    report: PerformanceReport, shift: CalibrationShift | None, metric: Metric, rule: PerformanceSpec
) -> PerformanceReport:
    """Return the report with what degrades the champion."""
    by: list[str] = []
    if report.share_worse is not None and report.share_worse >= rule.confidence:
        by.append("loss")
    bound = rule.max_calibration_gap
    # a quarter of the false alarms that `confidence` allows
    if shift and bound is not None and shift.gap >= bound and shift.p_value <= (1 - rule.confidence) / 4:
        by.append("calibration")
    now, baseline = report.value_now, report.baseline_now
    if now is not None and baseline is not None and metric.gain(baseline, now) <= 0 and (report.loss_lower or 0.0) > 0:
        by.append("baseline")
    return report.model_copy(update={"calibration": shift, "degraded": bool(by), "degraded_by": tuple(by)})


def _baseline(scored: Scored, reference: Reference, metric: Metric) -> float | None:
    if reference.train is None:
        return None
    given = baseline_predictions(truth_of(reference.train), reference.model.manifest.classes, len(scored.truth))
    return measure(metric, scored.truth, given.beside(scored.predictions.rows)).value


def _estimate(
    window: MonitoredWindow, reference: Reference, metric: Metric, rule: PerformanceSpec
) -> PerformanceEstimate | None:
    """Return the estimate of the newest rows; None where the holdout is not known or says too little."""
    estimator, before = reference.estimator, reference.value_at_promotion
    if estimator is None or before is None or len(window.features) == 0:
        return None
    if not window.has_features and estimator.errors.needs_features:
        return None
    predictions = reference.predictions_of(window).beside(window.metric_columns)
    gains = estimator.gains(metric, window.features, predictions)
    if len(gains) <= 1:
        return None
    gain, noise = float(gains.mean()), float(gains.std(ddof=1))
    value, margin = before + (gain if metric.greater_is_better else -gain), _quantile(rule.confidence) * noise
    share = _share_above(rule.max_loss, -gain, noise)
    return PerformanceEstimate(
        method=estimator.errors.method,
        partition=window.partition,
        value=value,
        lower=value - margin,
        upper=value + margin,
        loss=-gain,
        share_worse=share,
        warning=share >= rule.confidence,
    )


def _quantile(confidence: float) -> float:
    from scipy import stats

    return float(stats.norm.ppf(confidence))


def _share_above(bound: float, loss: float, noise: float) -> float:
    """Return the probability that a normal loss exceeds a bound."""
    if not noise:
        return float(loss > bound)
    return 0.5 * math.erfc((bound - loss) / noise / math.sqrt(2))


def with_alarm(
    report: PerformanceReport, earlier: Sequence[PerformanceReport], rule: PerformanceSpec, spec: PipelineSpec
) -> PerformanceReport:
    """Return the report with its alarm: `alarm_windows` consecutive windows are degraded under the same champion.

    A champion that is no better than the baseline alarms at once. Windows without a labelled row do not count.
    """
    comparable = [one for one in earlier if one.champion_version == report.champion_version and one.rows]
    run = [*comparable, report][-rule.alarm_windows :]
    alarm = "baseline" in report.degraded_by or (len(run) == rule.alarm_windows and all(one.degraded for one in run))
    state = alarm_state(alarm, comparable, spec)
    return report.model_copy(update={"alarm": alarm, "alarm_start": state.start, "training_due": state.training_due})
