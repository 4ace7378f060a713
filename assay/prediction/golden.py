"""Golden predictions: recorded when a model is trained, and repeated wherever it is to be served."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from assay.errors import AssayError, GoldenReplayError
from assay.prediction.predictor import Predictor
from assay.results.golden import GoldenPredictions
from assay.results.trained_model import TrainedModel

TOLERANCE = 1e-9
"""By how much a number may differ, of numbers beyond 1 relative to their size."""
_RETRAIN = "train the model again"


def with_golden(model: TrainedModel) -> TrainedModel:
    """Return a model that was just trained with its predictions for the example, in which nothing is personal."""
    intake = model.manifest.intake
    rows = list(intake.example) if intake is not None else []
    if not rows:
        return model.repeating(GoldenPredictions(reason="the model records no example rows"))
    try:
        predictions = Predictor(model).table(rows).to_pylist()
    except AssayError as error:
        return model.repeating(GoldenPredictions(reason=f"the example rows cannot be predicted: {error.what}"))
    if not all(math.isfinite(value) for row in predictions for value in row.values() if isinstance(value, float)):
        return model.repeating(GoldenPredictions(reason="predictions for the example rows are no finite numbers"))
    return model.repeating(GoldenPredictions(predictions=tuple(predictions)))


def has_golden(model: TrainedModel) -> bool:
    """Return whether a model records predictions to repeat."""
    golden = model.manifest.golden
    return golden is not None and bool(golden.predictions)


def require_golden(model: TrainedModel, where: str) -> None:
    """Refuse a model that records no predictions to repeat.

    Raises:
        GoldenReplayError: it was trained by an earlier version, or its example rows could not be predicted.
    """
    if not has_golden(model):
        golden = model.manifest.golden
        raise GoldenReplayError(
            "the model records no predictions to repeat",
            where=where,
            found=golden.reason if golden else "a model that was trained by an earlier version of assay",
            expected="golden predictions, which a training records",
            remedy=f"{_RETRAIN}, or serve it without replay by ASSAY_SERVE_WITHOUT_GOLDEN=on",
        )


def require_repeated(model: TrainedModel, found: Sequence[Mapping[str, Any]], where: str) -> None:
    """Refuse a model whose predictions for the example's rows are not those of its training.

    Args:
        model: with golden predictions.
        found: its predictions now, for the same rows.
        where: for errors.

    Raises:
        GoldenReplayError: a prediction differs; names row and column.
    """
    golden = model.manifest.golden
    expected = golden.predictions if golden is not None else ()
    first = _first_difference(expected, found)
    if first is not None:
        raise GoldenReplayError(
            "the model does not repeat the predictions of its training",
            where=where,
            found=first,
            expected=f"{len(expected)} predictions as they were recorded, to {TOLERANCE:g}",
            remedy=f"install the library versions of the model's requirements, or {_RETRAIN} on this machine",
        )


def _first_difference(expected: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> str | None:
    if len(expected) != len(found):
        return f"{len(found)} predictions"
    for row, (before, now) in enumerate(zip(expected, found, strict=True), start=1):
        if before.keys() != now.keys():
            return f"columns {', '.join(now)} in row {row}, {', '.join(before)} before"
        for name, value in before.items():
            if not _same(value, now[name]):
                return f"{name} of row {row} is {now[name]!r}, {value!r} before"
    return None


def _same(before: Any, now: Any) -> bool:
    if isinstance(before, float) and isinstance(now, int | float) and not isinstance(now, bool):
        return abs(before - now) <= TOLERANCE * max(1.0, abs(before))
    return type(before) is type(now) and bool(before == now)
