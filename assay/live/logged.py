"""Logged predictions in the form in which metrics take them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from assay.learning.evaluation.bootstrap import Units
from assay.learning.evaluation.predictions import Predictions
from assay.learning.splitting import metric_columns
from assay.live.label_versions import class_text
from assay.serving.prediction_log import ARM, KEY, LABEL, PROBABILITY, REQUEST_ID, SHADOW, VALUE, VERSION
from assay.specs.pipeline import PipelineSpec


def logged_predictions(log: pa.Table, classes: Sequence[Any], spec: PipelineSpec) -> Predictions:
    """Return logged predictions as those of a model.

    Args:
        log: rows of one version.
        classes: of the model, the positive one last; empty for a regression.
        spec: the pipeline.
    """
    rows = metric_columns(log, spec)
    if not spec.task.is_classification:
        return Predictions(np.asarray(log.column(VALUE).to_numpy(), dtype=np.float64), None, (), rows=rows)
    names = [f"{PROBABILITY}{label}" for label in classes]
    known = [log.column(name).to_numpy() if name in log.column_names else np.zeros(log.num_rows) for name in names]
    shares = np.column_stack(known).astype(np.float64) if any(name in log.column_names for name in names) else None
    if shares is not None and np.isnan(shares).all(axis=1).any():
        shares = None  # of a version without probabilities
    elif shares is not None:
        shares = np.nan_to_num(shares, nan=0.0)
    labels = _classes_of(log.column(LABEL).to_pylist(), classes)
    return Predictions(labels, shares, tuple(classes), rows=rows)


def typed_truth(truth: np.ndarray, classes: Sequence[Any], spec: PipelineSpec) -> np.ndarray:
    """Return labels as the model's classes, or numbers; what is no class stays text."""
    return _classes_of(truth, classes) if spec.task.is_classification else np.asarray(truth, dtype=np.float64)


def _classes_of(texts: Sequence[Any] | np.ndarray, classes: Sequence[Any]) -> np.ndarray:
    by_text = {class_text(label): label for label in classes} | {str(label): label for label in classes}
    found = np.empty(len(texts), dtype=object)
    found[:] = [by_text.get(text, text) for text in texts]
    return found


def units_of_log(log: pa.Table) -> np.ndarray:
    """Return the number of each row's unit, shape (n,): of its key, or else of its request."""
    import pandas as pd

    keys, requests = log.column(KEY).to_pandas(), log.column(REQUEST_ID).to_pandas()
    names = ("k" + keys.astype(object)).where(keys.notna(), "r" + requests.astype(object))
    return np.asarray(pd.factorize(names)[0])


def resampled_units(log: pa.Table) -> Units:
    """Return what the bootstrap draws of logged rows."""
    units = units_of_log(log)
    return Units(groups=units) if len(np.unique(units)) < len(units) else Units()


def parts(log: pa.Table) -> list[tuple[str, str, bool]]:
    """Return version, arm and shadow of all rows that occur together, in order."""
    found = log.select([VERSION, ARM, SHADOW]).group_by([VERSION, ARM, SHADOW]).aggregate([]).to_pylist()
    return sorted((row[VERSION], row[ARM], row[SHADOW]) for row in found)
