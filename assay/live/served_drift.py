"""Monitoring of what was served: inputs, predictions, and the metric that they let expect, without labels."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import AssayError
from assay.live.logged import logged_predictions
from assay.live.skew import SkewReport, logged_source, values_missing
from assay.monitoring.drift import DriftReport, evaluate_drift
from assay.monitoring.estimates import PerformanceEstimate
from assay.monitoring.performance import evaluate_performance
from assay.monitoring.reference import MonitoredWindow, Reference
from assay.prediction.predictor import Predictor
from assay.serving.prediction_log import SHADOW, TIME, VERSION
from assay.specs.base import Spec
from assay.specs.pipeline import PipelineSpec


class ServedDriftReport(Spec):
    """One day of the champion's served rows."""

    pipeline: str
    day: str
    """In UTC; empty where the champion has served nothing yet."""
    champion_version: str
    rows: int = 0
    features: str = ""
    """Why the values of the features were not compared; empty where they were."""
    drift: DriftReport | None = None
    estimate: PerformanceEstimate | None = None
    """Of the primary metric, without labels; missing without `monitoring.performance`."""
    skew: tuple[SkewReport, ...] = ()
    """Of each version that the pipeline's log has and the registry can still load."""


def newest_day(log: pa.Table, version: str) -> tuple[str, pa.Table]:
    """Return the newest day on which a version answered, and its rows of that day; an empty day without any."""
    rows = log.filter(pc.and_(pc.equal(log.column(VERSION), version), pc.invert(log.column(SHADOW))))
    if not rows.num_rows:
        return "", rows
    days = pc.floor_temporal(rows.column(TIME), unit="day")
    newest = pc.max(days)
    return newest.as_py().date().isoformat(), rows.filter(pc.equal(days, newest))


def evaluate_served(
    log: pa.Table,
    reference: Reference,
    skew: Sequence[SkewReport],
    earlier: Sequence[ServedDriftReport],
    spec: PipelineSpec,
) -> ServedDriftReport:
    """Compare the newest day that the champion served with its training and holdout rows.

    Args:
        log: of predictions.
        reference: the champion and its rows.
        skew: what was found of each version.
        earlier: reports of the days before, oldest first.
        spec: the pipeline.

    Raises:
        DataContractError: the champion's training rows are not known.
    """
    day, rows = newest_day(log, reference.version)
    report = ServedDriftReport(
        pipeline=spec.name, day=day, champion_version=reference.version, rows=rows.num_rows, skew=tuple(skew)
    )
    if not day:
        return report
    manifest = reference.model.manifest
    served = logged_predictions(rows, manifest.classes, spec)
    features, why_not = _features(rows, Predictor(reference.model))
    window = MonitoredWindow(partition=day, features=features, metric_columns=served.rows, served=served)
    before = [each.drift for each in earlier if each.drift is not None and each.day < day]
    return report.model_copy(
        update={
            "features": why_not,
            "drift": evaluate_drift(window, reference, before, spec),
            "estimate": evaluate_performance(window, reference, (), spec).estimate,
        }
    )


def _features(rows: pa.Table, predictor: Predictor) -> tuple[Any, str]:
    """Return the features of served rows, and why there are none; a frame without columns then."""
    import pandas as pd

    nothing = pd.DataFrame(index=range(rows.num_rows))
    if why := values_missing(rows, predictor):
        return nothing, why
    try:
        return predictor.features_of(logged_source(rows, predictor)), ""
    except AssayError as error:
        return nothing, error.what
