"""scikit-learn's families: linear models, random forests, and histogram gradient boosting."""

import copy
from dataclasses import replace
from typing import Any

import numpy as np

from assay.errors import LearningError
from assay.learning.estimators.family import ADDED_TREES, FamilyCard, register
from assay.specs.learning import SearchParameter


def _warm(fitted: Any, unfitted: Any, **settings: Any) -> Any:
    model = copy.deepcopy(fitted)
    return model.set_params(**{**unfitted.get_params(), **settings, "warm_start": True})


def _continue_logistic(fitted: Any, unfitted: Any, X: Any, y: Any) -> Any:  # noqa: N803 - scikit-learn's name
    if unfitted.solver == "liblinear":
        raise LearningError(
            "the solver 'liblinear' cannot start from given coefficients",
            where="model.hyperparameters.solver",
            expected="lbfgs, newton-cg, sag or saga",
            remedy="use another solver, or scenario: full",
        )
    return _warm(fitted, unfitted).fit(X, y).set_params(warm_start=False)


def _continue_forest(fitted: Any, unfitted: Any, X: Any, y: Any) -> Any:  # noqa: N803 - scikit-learn's name
    model = _warm(fitted, unfitted, n_estimators=len(fitted.estimators_) + ADDED_TREES)
    return model.fit(X, y).set_params(warm_start=False)


def _continue_boosting(fitted: Any, unfitted: Any, X: Any, y: Any) -> Any:  # noqa: N803 - scikit-learn's name
    model = _warm(fitted, unfitted, max_iter=fitted.n_iter_ + ADDED_TREES)
    # scores on the champion's rows are no criterion for stopping on the new ones
    model.train_score_, model.validation_score_ = np.empty(0), np.empty(0)
    # `fit` would compute new bins, but the old trees refer to the champion's bins: gradients would start from wrong
    # predictions, so those bins are kept
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


register(
    FamilyCard(
        name="logistic_regression",
        encoding="one_hot",
        classifier="sklearn.linear_model:LogisticRegression",
        continuation=_continue_logistic,
        threads_parameter=None,  # scikit-learn deprecates its n_jobs, which does nothing
        # scaled columns converge well below this; the library's 100 is too few for correlated one-hot columns
        defaults={"max_iter": 1000},
        search_space={"C": SearchParameter(type="float", low=1e-3, high=1e2, log=True)},
    )
)
# ordinary least squares: nothing to search
register(
    FamilyCard(
        name="linear_regression",
        encoding="one_hot",
        regressor="sklearn.linear_model:LinearRegression",
    )
)
register(
    FamilyCard(
        name="ridge",
        encoding="one_hot",
        regressor="sklearn.linear_model:Ridge",
        search_space={"alpha": SearchParameter(type="float", low=1e-3, high=1e3, log=True)},
    )
)

_FOREST = FamilyCard(
    name="random_forest",
    encoding="ordinal",
    classifier="sklearn.ensemble:RandomForestClassifier",
    regressor="sklearn.ensemble:RandomForestRegressor",
    continuation=_continue_forest,
    stored_types=frozenset({"sklearn.tree._tree.Tree"}),
    # leaves of one row make models of hundreds of megabytes and poor probabilities
    defaults={"n_estimators": 200, "min_samples_leaf": 2},
    search_space={
        "n_estimators": SearchParameter(type="int", low=50, high=400, step=50),
        "max_depth": SearchParameter(type="int", low=4, high=24),
        "min_samples_leaf": SearchParameter(type="int", low=1, high=50, log=True),
        "max_features": SearchParameter(type="float", low=0.1, high=1.0),
    },
)
register(_FOREST)
register(replace(_FOREST, name="random_forest_classifier", regressor=None))
register(replace(_FOREST, name="random_forest_regressor", classifier=None))

register(
    FamilyCard(
        name="hist_gradient_boosting",
        encoding="ordinal",
        classifier="sklearn.ensemble:HistGradientBoostingClassifier",
        regressor="sklearn.ensemble:HistGradientBoostingRegressor",
        continuation=_continue_boosting,
        stored_types=frozenset({"sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"}),
        dense=True,
        defaults={"early_stopping": True, "max_iter": 300},
        search_space={
            "learning_rate": SearchParameter(type="float", low=0.02, high=0.3, log=True),
            "max_leaf_nodes": SearchParameter(type="int", low=7, high=127, log=True),
            "min_samples_leaf": SearchParameter(type="int", low=5, high=200, log=True),
            "l2_regularization": SearchParameter(type="float", low=1e-3, high=100.0, log=True),
            "max_features": SearchParameter(type="float", low=0.3, high=1.0),
        },
    )
)
