"""CatBoost as scikit-learn's estimators, whose fitted state is the bytes of the library's own format.

The library's classes give labels back as other types and stamp models with the time; these keep both. Stored models
name them by this module's path: see `assay.moved_modules` before moving one. The module imports catboost, so import it
inside functions only.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
from catboost import CatBoost, Pool
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

_STAMPS = ("model_guid", "train_finish_time")
_LOADED = "_loaded"


class _After:
    """Ends a fit where a function of the validation loss says so."""

    def __init__(self, stops: Callable[[str, float], bool]) -> None:
        self._stops = stops

    def after_iteration(self, info: Any) -> bool:
        """Return whether to go on."""
        loss, values = next(iter(info.metrics["validation"].items()))
        return not self._stops(loss, values[-1])


class _Stored(BaseEstimator):  # type: ignore[misc]  # no published types
    """Settings and fit of both estimators; frames may hold columns of pandas' `category`, which are taken natively.

    Args:
        iterations: trees.
        learning_rate: the library's own rule goes by the number of trees, which early stopping changes.
        depth: of each tree.
        l2_leaf_reg: regularisation of leaves.
        random_strength: noise in the scores of splits.
        bagging_temperature: of Bayesian bootstrap weights; 0 for none.
        rsm: share of the columns that each split considers.
        min_data_in_leaf: with other growth than `SymmetricTree`.
        max_leaves: with growth `Lossguide`.
        border_count: bins of a number.
        one_hot_max_size: categories up to which a native column is one-hot encoded.
        grow_policy: `SymmetricTree`, `Depthwise` or `Lossguide`.
        loss_function: the library's name; of the task unless given.
        auto_class_weights: `Balanced`, `SqrtBalanced` or None.
        monotone_constraints: 1, -1 or 0 of each column: predictions rise, fall or do either by it.
        random_state: seed.
        n_jobs: threads.

    Attributes:
        model_: the fitted model in the library's format `cbm`.
        n_features_in_: columns.
        rounds_: trees.
    """

    monotone_constraints: Any = None  # models that were stored before the argument existed have none

    def __init__(  # noqa: PLR0913, PLR0917 - the library's settings
        self,
        iterations: int = 500,
        learning_rate: float = 0.1,
        depth: int = 6,
        l2_leaf_reg: float = 3.0,
        random_strength: float = 1.0,
        bagging_temperature: float = 1.0,
        rsm: float = 1.0,
        min_data_in_leaf: int = 1,
        max_leaves: int | None = None,
        border_count: int = 254,
        one_hot_max_size: int | None = None,
        grow_policy: str = "SymmetricTree",
        loss_function: str | None = None,
        auto_class_weights: str | None = None,
        monotone_constraints: Any = None,
        random_state: int | None = None,
        n_jobs: int = 1,
    ) -> None:
        self.iterations = iterations
        self.learning_rate = learning_rate
        self.depth = depth
        self.l2_leaf_reg = l2_leaf_reg
        self.random_strength = random_strength
        self.bagging_temperature = bagging_temperature
        self.rsm = rsm
        self.min_data_in_leaf = min_data_in_leaf
        self.max_leaves = max_leaves
        self.border_count = border_count
        self.one_hot_max_size = one_hot_max_size
        self.grow_policy = grow_policy
        self.loss_function = loss_function
        self.auto_class_weights = auto_class_weights
        self.monotone_constraints = monotone_constraints
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(
        self,
        X: Any,  # noqa: N803 - scikit-learn's name
        y: Any,
        sample_weight: Any = None,
        validation: tuple[Any, Any, Any] | None = None,
        stops: Callable[[str, float], bool] | None = None,
        begun: "_Stored | None" = None,
    ) -> Self:
        """Fit on rows.

        Args:
            X: matrix or frame of shape (rows, columns).
            y: target, shape (rows,).
            sample_weight: how much each row counts, shape (rows,); None where all count alike.
            validation: rows, target and weights by which the best number of trees is kept.
            stops: takes the name and value of the validation loss after each tree; returns whether to stop.
            begun: a fitted estimator, to whose trees those of this fit are added.
        """
        self._remember(y)
        further: dict[str, Any] = {}
        if validation is not None:
            further["eval_set"] = _pool(validation[0], self._codes(validation[1]), validation[2])
            further["use_best_model"] = True
        if stops is not None:
            further["callbacks"] = [_After(stops)]
        if begun is not None:
            further["init_model"] = begun.booster()
        fitted = CatBoost(self._settings())
        fitted.fit(_pool(X, self._codes(y), sample_weight), **further)
        self.rounds_ = int(fitted.tree_count_)
        self.n_features_in_ = int(np.shape(X)[1])
        self.model_ = _bytes_of(fitted)
        self.__dict__.pop(_LOADED, None)
        return self

    def booster(self) -> CatBoost:
        """Return the library's model, which is loaded once."""
        check_is_fitted(self, "model_")
        if _LOADED not in vars(self):
            setattr(self, _LOADED, CatBoost().load_model(blob=self.model_))
        return getattr(self, _LOADED)

    def contributions(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return tree SHAP values, shape (rows, columns + 1) or (rows, classes, columns + 1); expected values last."""
        return np.asarray(self.booster().get_feature_importance(_pool(X), type="ShapValues", thread_count=self.n_jobs))

    def after(self, rounds: int, X: Any) -> np.ndarray:  # noqa: N803
        """Return what the first trees predict: probabilities, shape (rows, classes), or numbers, shape (rows,)."""
        kind = "Probability" if hasattr(self, "classes_") else "RawFormulaVal"
        return self._predicted(X, kind, ntree_end=rounds)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the loaded model out: its bytes are stored."""
        return {name: value for name, value in super().__getstate__().items() if name != _LOADED}

    def _settings(self) -> dict[str, Any]:
        given = {name: value for name, value in self.get_params().items() if value is not None}
        if self.grow_policy == "SymmetricTree":
            given.pop("min_data_in_leaf")
        given["thread_count"] = given.pop("n_jobs", 1)
        given["random_seed"] = given.pop("random_state", 0)
        given.setdefault("loss_function", self._loss())
        if given["loss_function"] == "Logloss":
            # below 200 trees the library takes 1, and a fit with the rounds that were found would be another
            given["leaf_estimation_iterations"] = 10
        # the library's choice of a bootstrap depends on the loss and on the number of rows
        return {**given, "bootstrap_type": "Bayesian", "allow_writing_files": False, "logging_level": "Silent"}

    def _predicted(self, X: Any, kind: str, **trees: int) -> np.ndarray:  # noqa: N803
        return np.asarray(self.booster().predict(_pool(X), prediction_type=kind, thread_count=self.n_jobs, **trees))

    def _remember(self, y: Any) -> None:
        """Remember what the target says of the task."""

    def _loss(self) -> str:
        raise NotImplementedError

    def _codes(self, values: Any) -> np.ndarray:
        raise NotImplementedError


class StoredCatBoostClassifier(ClassifierMixin, _Stored):  # type: ignore[misc]  # no published types
    """CatBoost for labels of any type that sorts; see `_Stored` for the settings.

    Attributes:
        classes_: the distinct labels, ascending, in the order of `predict_proba`'s columns.
    """

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return the probability of each class, shape (rows, classes)."""
        return self._predicted(X, "Probability")

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return the most probable label of each row."""
        return np.asarray(self.classes_[np.argmax(self.predict_proba(X), axis=1)])

    def _remember(self, y: Any) -> None:
        self.classes_ = np.unique(np.asarray(y))

    def _loss(self) -> str:
        return "Logloss" if len(self.classes_) == 2 else "MultiClass"  # noqa: PLR2004 - two classes

    def _codes(self, values: Any) -> np.ndarray:
        return np.searchsorted(self.classes_, np.asarray(values))


class StoredCatBoostRegressor(RegressorMixin, _Stored):  # type: ignore[misc]  # no published types
    """CatBoost for numbers; see `_Stored` for the settings."""

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return a number for each row."""
        return self._predicted(X, "RawFormulaVal")

    def _loss(self) -> str:
        return "RMSE"

    def _codes(self, values: Any) -> np.ndarray:
        return np.asarray(values, dtype=np.float64)


def _pool(X: Any, y: Any = None, weights: Any = None) -> Pool:  # noqa: N803
    """Return rows as the library takes them; columns of `category` as numbers of their categories."""
    if not hasattr(X, "select_dtypes"):
        return Pool(X, label=y, weight=weights)
    native = list(X.select_dtypes("category").columns)
    coded = X.assign(**{name: X[name].cat.codes.astype("int64") for name in native})
    return Pool(coded, label=y, cat_features=native, weight=weights)


def _bytes_of(fitted: CatBoost) -> bytes:
    """Return a fitted model in the library's format, the same bytes for the same fit."""
    facts = fitted.get_metadata()
    for name in _STAMPS:
        if name in facts.keys():  # noqa: SIM118 - no mapping
            facts[name] = ""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.cbm"
        fitted.save_model(str(path), format="cbm")
        return path.read_bytes()
