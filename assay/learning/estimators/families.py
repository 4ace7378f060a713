"""The families: scikit-learn's, LightGBM, XGBoost and CatBoost."""

import copy
from dataclasses import replace
from typing import Any

import numpy as np

from assay.errors import LearningError
from assay.learning.estimators.early_stopping import (
    EarlyStopping,
    fit_catboost,
    fit_hist_gradient_boosting,
    fit_lightgbm,
    fit_xgboost,
)
from assay.learning.estimators.family import FamilyCard, NativeCategories, names, register
from assay.specs.preprocessing import CategoryEncoding
from assay.specs.tuning import SearchParameter

# trees, or rounds of boosting, that one continuation adds: a fixed number, so that models grow evenly
ADDED_TREES = 50


def _range(low: float, high: float, *, step: float | None = None, log: bool = False) -> SearchParameter:
    """Return a range of whole numbers if both ends are such."""
    whole = isinstance(low, int) and isinstance(high, int)
    return SearchParameter(type="int" if whole else "float", low=low, high=high, step=step, log=log)


def _warm(fitted: Any, unfitted: Any, **settings: Any) -> Any:
    model = copy.deepcopy(fitted)
    return model.set_params(**{**unfitted.get_params(), **settings, "warm_start": True})


def _continue_logistic(fitted: Any, unfitted: Any, X: Any, y: Any, options: dict[str, Any]) -> Any:  # noqa: N803
    if unfitted.solver == "liblinear":
        raise LearningError(
            "the solver 'liblinear' cannot start from given coefficients",
            where="model.hyperparameters.solver",
            expected="lbfgs, newton-cg, sag or saga",
            remedy="use another solver, or scenario: full",
        )
    return _warm(fitted, unfitted).fit(X, y, **options).set_params(warm_start=False)


def _continue_linear(fitted: Any, unfitted: Any, X: Any, y: Any, options: dict[str, Any]) -> Any:  # noqa: N803
    return _warm(fitted, unfitted).fit(X, y, **options).set_params(warm_start=False)


def _continue_forest(fitted: Any, unfitted: Any, X: Any, y: Any, options: dict[str, Any]) -> Any:  # noqa: N803
    model = _warm(fitted, unfitted, n_estimators=len(fitted.estimators_) + ADDED_TREES)
    return model.fit(X, y, **options).set_params(warm_start=False)


def _continue_boosting(fitted: Any, unfitted: Any, X: Any, y: Any, options: dict[str, Any]) -> Any:  # noqa: N803
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
        model.fit(X, y, **options)
    finally:
        del model._bin_data  # noqa: SLF001
    return model.set_params(warm_start=False)


def _continue_lightgbm(fitted: Any, unfitted: Any, X: Any, y: Any, options: dict[str, Any]) -> Any:  # noqa: N803
    from lightgbm import Booster

    model = unfitted.set_params(n_estimators=ADDED_TREES).fit(X, y, init_model=fitted, **options)
    # the fitted booster keeps a reference to the champion, which is not needed (its trees are copied) and not stored
    model._Booster = Booster(model_str=model.booster_.model_to_string())  # noqa: SLF001 - no public setter
    return model


def _continue_xgboost(fitted: Any, unfitted: Any, X: Any, y: Any, options: dict[str, Any]) -> Any:  # noqa: N803
    settings = {"n_estimators": ADDED_TREES, "enable_categorical": fitted.enable_categorical}
    return unfitted.set_params(**settings).fit(X, y, xgb_model=fitted.get_booster(), **options)


def _continue_catboost(fitted: Any, unfitted: Any, X: Any, y: Any, options: dict[str, Any]) -> Any:  # noqa: N803
    return unfitted.set_params(iterations=ADDED_TREES).fit(X, y, begun=fitted, **options)


def _in_text(constraints: list[Any]) -> str:
    """Return signs or groups of positions as XGBoost reads them from text; of lists it takes names alone."""
    return str(tuple(constraints) if isinstance(constraints[0], int) else constraints)


_NATIVE_BOOSTING = "assay.learning.estimators.native_boosting"
_OF_BOOSTERS: tuple[CategoryEncoding, ...] = ("ordinal", "native", "target")
_ROUNDS = _range(50, 500, log=True)
_RATE = {"learning_rate": _range(0.02, 0.3, log=True)}
_SHARES = {
    "subsample": _range(0.5, 1.0),
    "colsample_bytree": _range(0.4, 1.0),
    "reg_lambda": _range(1e-3, 100.0, log=True),
}

register(
    FamilyCard(
        name="lightgbm",
        encoding="ordinal",
        classifier="lightgbm:LGBMClassifier",
        regressor="lightgbm:LGBMRegressor",
        continuation=_continue_lightgbm,
        extra="lightgbm",
        distributions=("lightgbm",),
        stored_types=frozenset(
            {
                "collections.OrderedDict",
                "lightgbm.basic.Booster",
                "lightgbm.sklearn.LGBMClassifier",
                "lightgbm.sklearn.LGBMRegressor",
            }
        ),
        # without force_row_wise the histogram layout is chosen by a timing, and the sums differ between runs
        defaults={"deterministic": True, "force_row_wise": True, "verbose": -1, "subsample_freq": 1},
        parameters=names(
            "boosting_type class_weight colsample_bytree deterministic force_row_wise importance_type learning_rate "
            "max_depth min_child_samples min_child_weight min_split_gain n_estimators n_jobs num_leaves objective "
            "random_state reg_alpha reg_lambda subsample subsample_for_bin subsample_freq verbose"
        ),
        further_parameters=names(
            "extra_trees is_unbalance linear_tree max_bin max_delta_step path_smooth scale_pos_weight"
        ),
        search_space={
            **_RATE,
            "num_leaves": _range(7, 127, log=True),
            "min_child_samples": _range(5, 200, log=True),
            **_SHARES,
        },
        categories=_OF_BOOSTERS,
        native=NativeCategories(),
        stopping=EarlyStopping("n_estimators", fit_lightgbm, given=names("boosting_type"), range=_ROUNDS),
        monotone="monotone_constraints",
        interactions="interaction_constraints",
        cost=2,
    )
)
register(
    FamilyCard(
        name="logistic_regression",
        encoding="one_hot",
        classifier="sklearn.linear_model:LogisticRegression",
        continuation=_continue_logistic,
        threads_parameter=None,  # scikit-learn deprecates its n_jobs, which does nothing
        # scaled columns converge well below this; the library's 100 is too few for correlated one-hot columns
        defaults={"max_iter": 1000},
        parameters=names(
            "C class_weight dual fit_intercept intercept_scaling l1_ratio max_iter n_jobs penalty random_state solver "
            "tol verbose warm_start"
        ),
        search_space={"C": _range(1e-3, 1e2, log=True)},
        cost=1,
    )
)
# ordinary least squares: nothing to search
register(
    FamilyCard(
        name="linear_regression",
        encoding="one_hot",
        regressor="sklearn.linear_model:LinearRegression",
        parameters=names("copy_X fit_intercept n_jobs positive tol"),
        cost=1,
    )
)
register(
    FamilyCard(
        name="ridge",
        encoding="one_hot",
        regressor="sklearn.linear_model:Ridge",
        parameters=names("alpha copy_X fit_intercept max_iter positive random_state solver tol"),
        search_space={"alpha": _range(1e-3, 1e3, log=True)},
        cost=1,
    )
)
register(
    FamilyCard(
        name="elastic_net",
        encoding="one_hot",
        regressor="sklearn.linear_model:ElasticNet",
        continuation=_continue_linear,
        threads_parameter=None,
        defaults={"max_iter": 10_000, "alpha": 0.01},
        parameters=names(
            "alpha copy_X fit_intercept l1_ratio max_iter positive precompute random_state selection tol warm_start"
        ),
        search_space={"alpha": _range(1e-5, 10.0, log=True), "l1_ratio": _range(0.05, 1.0)},
        cost=1,
    )
)

_FOREST = FamilyCard(
    name="random_forest",
    encoding="ordinal",
    classifier="sklearn.ensemble:RandomForestClassifier",
    regressor="sklearn.ensemble:RandomForestRegressor",
    continuation=_continue_forest,
    # leaves of one row make models of hundreds of megabytes and poor probabilities
    defaults={"n_estimators": 200, "min_samples_leaf": 2},
    parameters=names(
        "bootstrap ccp_alpha criterion max_depth max_features max_leaf_nodes max_samples min_impurity_decrease "
        "min_samples_leaf min_samples_split min_weight_fraction_leaf monotonic_cst n_estimators n_jobs oob_score "
        "random_state verbose warm_start"
    ),
    classifier_parameters=names("class_weight"),
    search_space={
        "n_estimators": _range(50, 400, step=50),
        "max_depth": _range(4, 24),
        "min_samples_leaf": _range(1, 50, log=True),
        "max_features": _range(0.1, 1.0),
    },
)
register(_FOREST)
register(replace(_FOREST, name="random_forest_classifier", regressor=None))
register(replace(_FOREST, name="random_forest_regressor", classifier=None))
register(
    replace(
        _FOREST,
        name="extra_trees",
        classifier="sklearn.ensemble:ExtraTreesClassifier",
        regressor="sklearn.ensemble:ExtraTreesRegressor",
    )
)
register(
    FamilyCard(
        name="knn",
        encoding="one_hot",
        classifier="sklearn.neighbors:KNeighborsClassifier",
        regressor="sklearn.neighbors:KNeighborsRegressor",
        dense=True,
        weighs_rows=False,
        # fewer neighbours give probabilities of few values
        defaults={"n_neighbors": 20, "weights": "distance"},
        parameters=names("algorithm leaf_size metric metric_params n_jobs n_neighbors p weights"),
        search_space={
            "n_neighbors": _range(3, 200, log=True),
            "weights": SearchParameter(type="categorical", choices=("distance", "uniform")),
            "p": SearchParameter(type="categorical", choices=(1, 2)),
        },
    )
)

register(
    FamilyCard(
        name="hist_gradient_boosting",
        encoding="ordinal",
        classifier="sklearn.ensemble:HistGradientBoostingClassifier",
        regressor="sklearn.ensemble:HistGradientBoostingRegressor",
        continuation=_continue_boosting,
        dense=True,
        defaults={"early_stopping": True, "max_iter": 300},
        # the folds of a stack have no rows to spare for stopping; then the library's number of rounds
        member_defaults={"early_stopping": False, "max_iter": 100},
        parameters=names(
            "categorical_features early_stopping interaction_cst l2_regularization learning_rate loss max_bins "
            "max_depth max_features max_iter max_leaf_nodes min_samples_leaf monotonic_cst n_iter_no_change "
            "random_state scoring tol validation_fraction verbose warm_start"
        ),
        classifier_parameters=names("class_weight"),
        regressor_parameters=names("quantile"),
        search_space={
            "learning_rate": _range(0.02, 0.3, log=True),
            "max_leaf_nodes": _range(7, 127, log=True),
            "min_samples_leaf": _range(5, 200, log=True),
            "l2_regularization": _range(1e-3, 100.0, log=True),
            "max_features": _range(0.3, 1.0),
        },
        categories=_OF_BOOSTERS,
        native=NativeCategories(
            classifier=f"{_NATIVE_BOOSTING}:NativeHistGradientBoostingClassifier",
            regressor=f"{_NATIVE_BOOSTING}:NativeHistGradientBoostingRegressor",
        ),
        stored_types=frozenset(
            {
                f"{_NATIVE_BOOSTING}.NativeHistGradientBoostingClassifier",
                f"{_NATIVE_BOOSTING}.NativeHistGradientBoostingRegressor",
            }
        ),
        stopping=EarlyStopping(
            "max_iter",
            fit_hist_gradient_boosting,
            given=names("early_stopping n_iter_no_change scoring tol validation_fraction"),
            final={"early_stopping": False},
        ),
        monotone="monotonic_cst",
        interactions="interaction_cst",
        cost=2,
    )
)
register(
    FamilyCard(
        name="xgboost",
        encoding="ordinal",
        classifier="assay.learning.estimators.xgboost_labels:LabelledXGBClassifier",
        regressor="xgboost:XGBRegressor",
        continuation=_continue_xgboost,
        extra="xgboost",
        distributions=("xgboost-cpu", "xgboost"),  # two wheels of one library
        stored_types=frozenset(
            {
                "assay.learning.estimators.xgboost_labels.LabelledXGBClassifier",
                "xgboost.core.Booster",
                "xgboost.sklearn.XGBRegressor",
            }
        ),
        # the library's learning rate of 0.3 is coarse beside the other boosters' 0.1
        defaults={"tree_method": "hist", "device": "cpu", "verbosity": 0, "n_estimators": 100, "learning_rate": 0.1},
        parameters=names(
            "base_score booster callbacks colsample_bylevel colsample_bynode colsample_bytree device "
            "early_stopping_rounds enable_categorical eval_metric feature_types feature_weights gamma grow_policy "
            "importance_type interaction_constraints learning_rate max_bin max_cat_threshold max_cat_to_onehot "
            "max_delta_step max_depth max_leaves min_child_weight missing monotone_constraints multi_strategy "
            "n_estimators n_jobs num_parallel_tree objective random_state reg_alpha reg_lambda sampling_method "
            "scale_pos_weight subsample tree_method validate_parameters verbosity"
        ),
        search_space={
            **_RATE,
            "max_depth": _range(3, 10),
            "min_child_weight": _range(0.5, 50.0, log=True),
            **_SHARES,
        },
        categories=_OF_BOOSTERS,
        native=NativeCategories({"enable_categorical": True}),
        stopping=EarlyStopping(
            "n_estimators", fit_xgboost, given=names("booster early_stopping_rounds eval_metric"), range=_ROUNDS
        ),
        monotone="monotone_constraints",
        interactions="interaction_constraints",
        constraints_as=_in_text,
        cost=2,
    )
)
register(
    FamilyCard(
        name="catboost",
        encoding="ordinal",
        classifier="assay.learning.estimators.catboost_models:StoredCatBoostClassifier",
        regressor="assay.learning.estimators.catboost_models:StoredCatBoostRegressor",
        continuation=_continue_catboost,
        dense=True,
        extra="catboost",
        distributions=("catboost",),
        stored_types=frozenset(
            {
                "assay.learning.estimators.catboost_models.StoredCatBoostClassifier",
                "assay.learning.estimators.catboost_models.StoredCatBoostRegressor",
            }
        ),
        parameters=names(
            "auto_class_weights bagging_temperature border_count depth grow_policy iterations l2_leaf_reg "
            "learning_rate loss_function max_leaves min_data_in_leaf monotone_constraints n_jobs one_hot_max_size "
            "random_state "
            "random_strength rsm"
        ),
        search_space={
            **_RATE,
            "depth": _range(4, 10),
            "l2_leaf_reg": _range(1.0, 30.0, log=True),
            "random_strength": _range(0.1, 10.0, log=True),
            "bagging_temperature": _range(0.0, 2.0),
        },
        categories=("native", "ordinal", "target"),
        native=NativeCategories(bounded=False),
        stopping=EarlyStopping("iterations", fit_catboost, range=_ROUNDS),
        monotone="monotone_constraints",
    )
)
register(
    FamilyCard(
        name="mlp",
        encoding="one_hot",
        classifier="sklearn.neural_network:MLPClassifier",
        regressor="assay.learning.estimators.scaled_targets:ScaledMLPRegressor",
        threads_parameter=None,
        stored_types=frozenset({"assay.learning.estimators.scaled_targets.ScaledMLPRegressor"}),
        # a tenth of the training rows says when to stop
        defaults={"early_stopping": True},
        # the folds of a stack have no rows to spare for stopping
        member_defaults={"early_stopping": False},
        parameters=names(
            "activation alpha batch_size beta_1 beta_2 early_stopping epsilon hidden_layer_sizes learning_rate "
            "learning_rate_init max_fun max_iter momentum n_iter_no_change nesterovs_momentum power_t random_state "
            "shuffle solver tol validation_fraction verbose warm_start"
        ),
        regressor_parameters=names("loss"),
        search_space={
            "hidden_layer_sizes": _range(16, 256, log=True),
            "alpha": _range(1e-6, 1.0, log=True),
            "learning_rate_init": _range(3e-4, 1e-2, log=True),
        },
    )
)
# what a model must beat: it ignores the features
register(
    FamilyCard(
        name="dummy",
        encoding="ordinal",
        classifier="sklearn.dummy:DummyClassifier",
        regressor="sklearn.dummy:DummyRegressor",
        threads_parameter=None,
        parameters=names("constant strategy"),
        classifier_parameters=names("random_state"),
        regressor_parameters=names("quantile"),
        cost=1,
    )
)
