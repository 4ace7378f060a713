"""Each version and arm by the labels of what it predicted: metrics with intervals, and calibration."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import AwareDatetime

from assay.learning.evaluation.bootstrap import intervals
from assay.learning.evaluation.evaluating import measured
from assay.learning.evaluation.metrics import metrics_of, primary_metric
from assay.live.comparison import LiveComparison, compare_live
from assay.live.joining import LabelCounts, LabelledLog
from assay.live.label_versions import labels_of
from assay.live.logged import logged_predictions, parts, resampled_units, typed_truth
from assay.monitoring.calibration import CalibrationShift, calibration_shift, scores_and_errors
from assay.monitoring.scored import Scored
from assay.serving.prediction_log import ARM, SHADOW, TIME, VERSION
from assay.specs.base import Spec
from assay.specs.labels import LabelsSpec
from assay.specs.pipeline import PipelineSpec

HoldoutOf = Callable[[str], Scored | None]
"""Returns a version's holdout with its predictions; None where it is not known."""


class VersionPerformance(Spec):
    """One version in one arm, by its labelled rows."""

    version: str
    arm: str
    shadow: bool
    rows: int
    units: int
    """Independent ones: keys, or requests."""
    first_day: str
    last_day: str
    """Of the predictions, in UTC."""
    metrics: dict[str, float]
    missing_metrics: dict[str, str] = {}
    """Every metric that could not be computed, and why."""
    intervals: dict[str, tuple[float, float]] = {}
    """The 95 % bootstrap interval of each metric, for one look; of a verdict on any day the comparison has its own."""
    mean_error: float | None = None
    """Observed minus predicted: of the probability of the positive or the predicted class, or of the value."""
    calibration: CalibrationShift | None = None
    """Against the version's own holdout; missing without probabilities, with too few rows or without the holdout."""


class LivePerformance(Spec):
    """What the labels say of everything that was served."""

    pipeline: str
    as_of: AwareDatetime
    """The time whose knowledge counts."""
    champion_version: str
    metric: str
    labels: LabelCounts
    versions: tuple[VersionPerformance, ...] = ()
    comparison: LiveComparison | None = None
    """Of the newest experiment; missing without an experiment."""
    decision_start: bool = False
    """Whether this is the first report that gives the verdict of this experiment while labels arrive in time."""
    followed_by: str = ""
    """What `serving.on_verdict` did, in words."""


def evaluate_live(
    labelled: LabelledLog,
    experiment: str,
    classes: Sequence[Any],
    holdouts: HoldoutOf,
    spec: PipelineSpec,
    facts: Mapping[str, Any],
) -> LivePerformance:
    """Measure every version and arm, and compare the two of the newest experiment.

    Args:
        labelled: rows that count.
        experiment: the newest one; empty without one.
        classes: of the models; empty for a regression.
        holdouts: of the versions.
        spec: the pipeline, with `serving.labels`.
        facts: `as_of` and `champion_version` of the report.
    """
    labels, primary = labels_of(spec), primary_metric(spec)
    versions = [_of_part(labelled, part, classes, holdouts, spec) for part in parts(labelled.log)]
    comparison = compare_live(labelled, experiment, classes, labels, spec, primary.name) if experiment else None
    return LivePerformance(
        pipeline=spec.name, metric=primary.name, labels=labelled.counts, versions=tuple(versions),
        comparison=comparison, **facts,
    )  # fmt: skip


def decision_starts(found: LiveComparison | None, earlier: Sequence[LivePerformance], labels: LabelsSpec) -> bool:
    """Return whether a verdict is to be followed now: it is decided, labels arrive in time, and it was not before.

    While more labels are missing than allowed, those that came may be others than those that will. Arms with other
    shares than declared are not compared fairly.

    Args:
        found: the comparison; None without an experiment.
        earlier: reports before this one.
        labels: how many may be missing.
    """
    if found is None or not found.is_decided or found.unfair or found.missing_share > labels.max_missing:
        return False
    before = [each.comparison for each in earlier if each.comparison is not None]
    return not any(
        (each.experiment, each.verdict) == (found.experiment, found.verdict)
        and not each.unfair
        and each.missing_share <= labels.max_missing
        for each in before
    )


def _of_part(
    labelled: LabelledLog, part: tuple[str, str, bool], classes: Sequence[Any], holdouts: HoldoutOf, spec: PipelineSpec
) -> VersionPerformance:
    import pandas as pd

    version, arm, shadow = part
    rows = labelled.where(_mask(labelled, part))
    predictions, truth = logged_predictions(rows.log, classes, spec), typed_truth(rows.truth, classes, spec)
    units, metrics = resampled_units(rows.log), metrics_of(spec)
    values, missing = measured(metrics, truth, predictions)
    known = [each for each in metrics if each.name in values]
    scored = Scored(pd.DataFrame(index=range(len(truth))), truth, predictions, units)
    errors, holdout = scores_and_errors(scored), holdouts(version)
    days = rows.log.column(TIME).cast("timestamp[us]").to_numpy().astype("datetime64[D]")
    return VersionPerformance(
        version=version,
        arm=arm,
        shadow=shadow,
        rows=len(truth),
        units=units.number(np.ones(len(truth), dtype=bool)),
        first_day=str(days.min()),
        last_day=str(days.max()),
        metrics=values,
        missing_metrics=missing,
        intervals=intervals(known, truth, predictions, units, spec.training.seed),
        mean_error=float(errors[1].mean()) if errors is not None else None,
        calibration=None if holdout is None else calibration_shift(scored, holdout),
    )


def _mask(labelled: LabelledLog, part: tuple[str, str, bool]) -> np.ndarray:
    columns = [labelled.log.column(name).to_numpy(zero_copy_only=False) for name in (VERSION, ARM, SHADOW)]
    return np.asarray(np.logical_and.reduce([column == value for column, value in zip(columns, part, strict=True)]))
