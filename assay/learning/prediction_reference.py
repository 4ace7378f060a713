"""The numbers that later predictions of a model are compared with, taken right after its fit."""

from typing import TYPE_CHECKING

import numpy as np

from assay.data.schema import TableSchema
from assay.learning.estimators.assembly import limited_threads
from assay.learning.evaluation.predictions import codes, predict
from assay.learning.out_of_fold import OutOfFold
from assay.learning.splitting import LabelledRows, Split
from assay.results.prediction_reference import PredictionReference, levels
from assay.results.trained_model import TrainedModel
from assay.specs.dataset import ColumnRole

if TYPE_CHECKING:
    import pandas as pd

_USUAL = 0.5


def reference_of(model: TrainedModel, split: Split, threads: int) -> PredictionReference:
    """Return what a model predicts for the holdout, which it has not learned from.

    Nothing of the model depends on it, so that the holdout stays one.
    """
    facts = model.manifest
    with limited_threads(threads):
        found = predict(model.estimator, split.holdout.features, facts.classes, facts.task)
    present = _usually_present(split.train, split.features)
    rows = len(split.holdout.features)
    if facts.task.is_classification:
        counted = np.bincount(codes(found.labels, facts.classes), minlength=len(facts.classes))
        shares = counted[: len(facts.classes)] / max(rows, 1)
        return PredictionReference(rows=rows, shares=tuple(shares.tolist()), present=present)
    target = split.train.target.to_numpy(dtype=np.float64)
    errors = np.abs(found.labels - split.holdout.target.to_numpy(dtype=np.float64))
    return PredictionReference(
        rows=rows,
        quantiles=levels(found.labels),
        errors=levels(errors),
        low=float(target.min()),
        high=float(target.max()),
        present=present,
    )


def with_errors(
    reference: PredictionReference, crossed: OutOfFold, split: Split, model: TrainedModel
) -> PredictionReference:
    """Return the reference of a regression with its errors on training rows, by fits that did not learn from them."""
    truth = split.train.target.to_numpy(dtype=np.float64)[crossed.rows]
    predicted, inner = crossed.predictions.labels, model.estimator[-1]
    on_transform = hasattr(inner, "around")
    if on_transform:
        truth, predicted = inner.transformed(truth), inner.transformed(predicted)
    errors = levels(np.abs(predicted - truth))
    facts = {"training_errors": errors, "training_rows": len(truth), "on_transform": on_transform}
    return reference.model_copy(update=facts)


def missing_in(features: "pd.DataFrame", schema: TableSchema) -> "pd.DataFrame":
    """Return where a feature frame has no value, shape (rows, features); an empty text is one."""
    missing = features.isna()
    for column in schema.columns:
        if column.role is ColumnRole.TEXT:
            missing[column.name] = features[column.name] == ""
    return missing


def _usually_present(train: LabelledRows, schema: TableSchema) -> tuple[str, ...]:
    share = missing_in(train.features, schema).mean()
    return tuple(str(name) for name in share.index[share < _USUAL])
