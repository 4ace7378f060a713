"""Curves, calibration, confusion and residuals of a holdout, as numbers to draw; no single row is in them."""

from collections.abc import Iterator

import numpy as np

from assay.learning.evaluation.drawing import Curve, calibration_of, pooled
from assay.learning.evaluation.plots import curves_of, forecasts_of
from assay.learning.evaluation.predictions import Predictions, codes, label_codes
from assay.reporting.model_report import CalibrationBin, Confusion, DrawnCurve, HoldoutDrawings, ResidualBin

_POINTS = 120
_RESIDUAL_BINS = 12
_DIGITS = 5


def drawings_of(truth: np.ndarray, predictions: Predictions) -> HoldoutDrawings:
    """Return what is drawn of a holdout.

    Args:
        truth: shape (n,), values as in the table.
        predictions: of the same rows.
    """
    if not predictions.classes:
        return HoldoutDrawings(residuals=tuple(_residuals(truth.astype(np.float64), predictions.labels)))
    true, said = label_codes(truth, predictions)
    curves = curves_of(codes(truth, predictions.classes), predictions)
    drawn = HoldoutDrawings(
        confusion=_confusion(true, said, predictions),
        roc=tuple(map(_roc, curves)),
        precision_recall=tuple(map(_precision_recall, curves)),
    )
    if predictions.probabilities is None:
        return drawn
    stated = forecasts_of(true, said, predictions.probabilities, predictions.classes)
    bins = tuple(
        CalibrationBin(stated=s, observed=o, low=low, high=high, rows=int(rows))
        for s, o, low, high, rows in zip(*(each.tolist() for each in calibration_of(stated)), strict=True)
    )
    return drawn.model_copy(update={"calibration": bins, "event": stated.event})


def _confusion(true: np.ndarray, said: np.ndarray, predictions: Predictions) -> Confusion:
    unknown = max(int(true.max()), int(said.max())) + 1 - len(predictions.classes)
    names = [*map(str, predictions.classes), *(["(unknown class)"] * unknown)]
    true, said, names = pooled(true, said, names)
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (true, said), 1)
    return Confusion(labels=tuple(names), counts=tuple(tuple(row) for row in counts.tolist()))


def _roc(curve: Curve) -> DrawnCurve:
    from sklearn.metrics import roc_auc_score, roc_curve

    wrong, right, _ = roc_curve(curve.positive, curve.score)
    measured = f"AUC {roc_auc_score(curve.positive, curve.score):.3f}"
    return _drawn(curve, measured, wrong, right, 0.5)


def _precision_recall(curve: Curve) -> DrawnCurve:
    from sklearn.metrics import average_precision_score, precision_recall_curve

    precision, recall, _ = precision_recall_curve(curve.positive, curve.score)
    measured = f"average precision {average_precision_score(curve.positive, curve.score):.3f}"
    return _drawn(curve, measured, recall[::-1], precision[::-1], float(np.mean(curve.positive)))


def _drawn(curve: Curve, measured: str, x: np.ndarray, y: np.ndarray, chance: float) -> DrawnCurve:
    """Return a curve with at most 120 points, evenly spaced along it."""
    along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    wanted = np.searchsorted(along, np.linspace(0, along[-1], _POINTS))
    chosen = np.unique(np.clip(wanted, 0, len(x) - 1))
    return DrawnCurve(
        name=curve.name,
        measured=measured,
        x=tuple(np.round(x[chosen], _DIGITS).tolist()),
        y=tuple(np.round(y[chosen], _DIGITS).tolist()),
        chance=chance,
    )


def _residuals(true: np.ndarray, predicted: np.ndarray) -> Iterator[ResidualBin]:
    """Yield bins of equally many rows by their prediction."""
    for rows in np.array_split(np.argsort(predicted, kind="stable"), min(_RESIDUAL_BINS, len(true))):
        errors = predicted[rows] - true[rows]
        low, middle, high = np.quantile(errors, [0.1, 0.5, 0.9]).tolist()
        yield ResidualBin(
            predicted=float(predicted[rows].mean()),
            actual=float(true[rows].mean()),
            low=low,
            middle=middle,
            high=high,
            rows=len(rows),
        )
