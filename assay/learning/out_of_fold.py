"""Predictions of training rows by fits of the recipe that have not learned from them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import LearningError
from assay.learning.estimators.assembly import build_pipeline, limited_threads, weighted_options
from assay.learning.estimators.ensembles import family_of, model_with
from assay.learning.evaluation.predictions import Predictions, joined, predict
from assay.learning.splitting import Split
from assay.learning.tuning.fold_schemes import make_folds, repeats
from assay.results.search_result import BestHyperparameters
from assay.specs.pipeline import PipelineSpec


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """Predicted training rows.

    Attributes:
        rows: their positions among the training rows, shape (n,); each row once, those that no fold predicts not.
        predictions: of these rows.
    """

    rows: np.ndarray
    predictions: Predictions


def out_of_fold(split: Split, best: BestHyperparameters, spec: PipelineSpec, classes: tuple[Any, ...]) -> OutOfFold:
    """Predict training rows by cross-fitting: each fold by a fit on the rows that `tuning.split` gives it.

    Args:
        split: gives the training rows and their groups.
        best: the recipe.
        spec: the pipeline.
        classes: labels of the training rows in order; empty for regression.

    Raises:
        LearningError: a fit fails.
        DataContractError: the rows cannot be cut into folds.
    """
    rows = split.train
    spec = spec.model_copy(update={"model": model_with(spec.model, best.family, best.parameters)})
    family = family_of(best.family, spec.task, spec.model)
    folds = make_folds(rows.target, spec, split.train_groups)
    folds = folds[: len(folds) // repeats(spec)]
    options, found = weighted_options(rows, spec), []
    with limited_threads(spec.training.threads):
        for fold in folds:
            part = rows.take(fold.train)
            given = {name: weights[fold.train] for name, weights in options.items()}
            pipeline = build_pipeline(family, best.parameters, split.features, spec)
            try:
                fitted = pipeline.fit(part.features, part.target, **given)
                found.append(predict(fitted, rows.features.iloc[fold.validation], classes, spec.task))
            except Exception as error:  # an estimator may raise anything
                raise _unfitted(best.family, error, spec) from error
    places = np.concatenate([fold.validation for fold in folds])
    return OutOfFold(places, joined(found))


def _unfitted(family: str, error: Exception, spec: PipelineSpec) -> LearningError:
    return LearningError(
        f"'{family}' cannot be fitted on a part of the training rows, which calibration, threshold and interval need",
        where=f"pipeline {spec.name}, training",
        found=f"{type(error).__name__}: {error}",
        remedy="add rows, or remove the option from training",
    )
