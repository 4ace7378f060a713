"""A dry run before a search: what cannot be stored, or learned from, is refused before it is fitted at length."""

import warnings
from typing import Any

import numpy as np

from assay.data.schema import TableSchema
from assay.errors import AssayError, FeatureStepError, UntrustedModelError
from assay.learning.estimators.assembly import build_pipeline, fitted_steps_for, own_classes, weighted_options
from assay.learning.estimators.family import FAMILIES, Family
from assay.learning.persistence import require_storable
from assay.learning.preprocessing.fitted_columns import require_kept
from assay.learning.splitting import LabelledRows
from assay.specs.pipeline import PipelineSpec

_ROWS_OF_A_CLASS, _MOST_ROWS = 20, 200


def rehearse(
    family: Family, parameters: dict[str, Any], rows: LabelledRows, features: TableSchema, spec: PipelineSpec
) -> None:
    """Fit a few rows and refuse a model that could not be stored.

    Families that have a name, with preprocessing by role, are known to be storable and not fitted here. A fit that
    fails proves nothing, since a model may need more rows: the search reports it.

    Args:
        family: a candidate.
        parameters: its base hyperparameters.
        rows: the training rows.
        features: columns and roles of the frame.
        spec: the pipeline.

    Raises:
        UntrustedModelError: the fitted model holds what a stored model may not hold, or what has no stored form.
        SpecError: a preprocessing step is not acceptable.
    """
    if family.name in FAMILIES and not spec.preparation.steps:
        return
    few = rows.take(_few(rows, spec))
    pipeline = build_pipeline(family, parameters, features, spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fitted = pipeline.fit(few.features, few.target, **weighted_options(few, spec))
        except AssayError:
            raise
        except Exception:  # noqa: BLE001 - a model may raise anything on few rows
            return
    try:
        require_storable(fitted, own_classes(family.name, spec), where=f"pipeline {spec.name}")
    except UntrustedModelError as error:
        raise UntrustedModelError(
            f"a model of '{family.name}' could not be stored after the search: {error.what}",
            where=f"pipeline {spec.name}, model.candidates or preprocessing.steps",
            found=error.found,
            expected=error.expected,
            remedy="choose another model or transformer; a class of your own may keep only plain values, arrays and "
            "scikit-learn estimators in its attributes",
        ) from error


def require_rows_kept(rows: LabelledRows, features: TableSchema, spec: PipelineSpec) -> None:
    """Refuse training rows of which outliers drop more than allowed, or every row of a class.

    Raises:
        FeatureStepError: they do.
        SpecError: a step cannot be fitted on a column.
    """
    if spec.features is None or not any(step.outliers for step in spec.features.steps):
        return
    steps = fitted_steps_for(None, features, spec)
    kept = steps.kept_rows(rows.features, rows.target)
    require_kept(steps.dropped_, spec)
    lost = set(rows.target.unique()) - set(rows.target[kept].unique()) if spec.task.is_classification else set()
    if lost:
        raise FeatureStepError(
            "outliers drop every training row of a class",
            where=f"pipeline {spec.name}, training rows",
            found=", ".join(sorted(map(repr, lost))),
            remedy="widen the bounds, or leave such rows out by a filter",
        )


def _few(rows: LabelledRows, spec: PipelineSpec) -> np.ndarray:
    """Return the positions of the first rows, of each class some."""
    if not spec.task.is_classification:
        return np.arange(min(_MOST_ROWS, len(rows.target)))
    number_in_class = rows.target.groupby(rows.target).cumcount().to_numpy()
    return np.flatnonzero(number_in_class < _ROWS_OF_A_CLASS)
