"""Going on from a champion's fitted state with new rows.

The champion's preprocessing stays as it was fitted: its state is written in terms of those columns.
"""

import copy
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import LearningError
from assay.learning.estimators.assembly import MODEL, PREPROCESSING
from assay.learning.estimators.family import Family
from assay.learning.splitting import LabelledRows
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# trees, or rounds of boosting, that one continuation adds: a fixed number, so that models grow evenly
ADDED_TREES = 50


def continue_fit(
    champion: "Pipeline", family: Family, parameters: Mapping[str, Any], rows: LabelledRows, spec: PipelineSpec
) -> "Pipeline":
    """Fit on from a champion; the champion itself is not changed.

    Linear models start from the champion's coefficients; forests and boosters keep its trees and add `ADDED_TREES`.

    Args:
        champion: fitted pipeline of the steps `preprocessing` and `model`.
        family: the champion's family.
        parameters: hyperparameters for what is added; a number of trees or rounds among them is not used.
        rows: the rows to go on with.
        spec: the pipeline; gives seed and threads.

    Returns:
        A fitted pipeline with the champion's preprocessing.

    Raises:
        LearningError: the family cannot go on, its settings do not allow it, or the classes differ.
    """
    from sklearn.pipeline import Pipeline

    go_on = _CONTINUATIONS.get(family.estimator.__name__)
    if not family.incremental or go_on is None:
        raise LearningError(
            f"'{family.name}' cannot go on from a fitted state",
            where=f"pipeline {spec.name}, training.scenario",
            expected="a family that can, such as hist_gradient_boosting",
            remedy="use scenario: full, or another candidate",
        )
    fitted = champion.named_steps[MODEL]
    _require_same_classes(fitted, rows, spec)
    preprocessing = copy.deepcopy(champion.named_steps[PREPROCESSING])
    unfitted = family.build(parameters, spec.training.seed, spec.training.threads)
    model = go_on(fitted, unfitted, preprocessing.transform(rows.features), rows.target)
    return Pipeline([(PREPROCESSING, preprocessing), (MODEL, model)])


def _require_same_classes(fitted: Any, rows: LabelledRows, spec: PipelineSpec) -> None:
    if not spec.task.is_classification:
        return
    had, has = set(fitted.classes_.tolist()), set(rows.target.unique().tolist())
    if had != has:
        raise LearningError(
            "the new rows do not hold the same classes as the champion",
            where=f"pipeline {spec.name}, training.scenario",
            found=", ".join(sorted(repr(label) for label in has)),
            expected=", ".join(sorted(repr(label) for label in had)),
            remedy="use scenario: full",
        )


def _warm(fitted: Any, unfitted: Any, **settings: Any) -> Any:
    model = copy.deepcopy(fitted)
    return model.set_params(**{**unfitted.get_params(), **settings, "warm_start": True})


def _logistic(fitted: Any, unfitted: Any, X: Any, y: Any) -> Any:  # noqa: N803 - scikit-learn's name
    if unfitted.solver == "liblinear":
        raise LearningError(
            "the solver 'liblinear' cannot start from given coefficients",
            where="model.hyperparameters.solver",
            expected="lbfgs, newton-cg, sag or saga",
            remedy="use another solver, or scenario: full",
        )
    return _warm(fitted, unfitted).fit(X, y).set_params(warm_start=False)


def _forest(fitted: Any, unfitted: Any, X: Any, y: Any) -> Any:  # noqa: N803 - scikit-learn's name
    model = _warm(fitted, unfitted, n_estimators=len(fitted.estimators_) + ADDED_TREES)
    return model.fit(X, y).set_params(warm_start=False)


def _histogram_boosting(fitted: Any, unfitted: Any, X: Any, y: Any) -> Any:  # noqa: N803 - scikit-learn's name
    model = _warm(fitted, unfitted, max_iter=fitted.n_iter_ + ADDED_TREES)
    # scores on the champion's rows say nothing about when to stop on the new ones
    model.train_score_, model.validation_score_ = np.empty(0), np.empty(0)
    # `fit` would bin the new rows anew, while the old trees are read by the bins they were grown on: gradients would
    # start from wrong predictions, so the champion's bins are kept
    bins = model._bin_mapper  # noqa: SLF001 - scikit-learn has no public way to keep the bins

    def binned(X: Any, sample_weight: Any, is_training_data: bool) -> Any:  # noqa: ARG001, FBT001, N803
        model._bin_mapper = bins  # noqa: SLF001
        rows = bins.transform(X)
        return rows if is_training_data else np.ascontiguousarray(rows)

    model._bin_data = binned  # noqa: SLF001
    try:
        model.fit(X, y)
    finally:
        del model._bin_data  # noqa: SLF001
    return model.set_params(warm_start=False)


def _lightgbm(fitted: Any, unfitted: Any, X: Any, y: Any) -> Any:  # noqa: N803 - scikit-learn's name
    from lightgbm import Booster

    model = unfitted.set_params(n_estimators=ADDED_TREES).fit(X, y, init_model=fitted)
    # the fitted booster holds on to the champion, which is neither needed (its trees are copied) nor to be stored
    model._Booster = Booster(model_str=model.booster_.model_to_string())  # noqa: SLF001 - no public setter
    return model


def _xgboost(fitted: Any, unfitted: Any, X: Any, y: Any) -> Any:  # noqa: N803 - scikit-learn's name
    return unfitted.set_params(n_estimators=ADDED_TREES).fit(X, y, xgb_model=fitted.get_booster())


_CONTINUATIONS: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "LogisticRegression": _logistic,
    "RandomForestClassifier": _forest,
    "RandomForestRegressor": _forest,
    "HistGradientBoostingClassifier": _histogram_boosting,
    "HistGradientBoostingRegressor": _histogram_boosting,
    "LGBMClassifier": _lightgbm,
    "LGBMRegressor": _lightgbm,
    "LabelledXGBClassifier": _xgboost,
    "XGBRegressor": _xgboost,
}
