"""What each prepared column contributes to the output of a booster, by the booster's own exact tree SHAP values.

Source: Lundberg, Erion and Lee (2018), "Consistent individualized feature attribution for tree ensembles". LightGBM,
XGBoost and CatBoost compute the values themselves; other families have none here.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.learning.estimators.assembly import limited_threads
from assay.learning.evaluation.drawing import sample
from assay.reporting.model_report import Importance

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 1_000
_SHOWN = 15


def contributions_of(estimator: Any, features: "pd.DataFrame", seed: int) -> tuple[Importance, ...]:
    """Return the mean absolute contributions of up to 15 prepared columns; empty where the model gives none.

    Args:
        estimator: fitted pipeline of the steps `preprocessing` and `model`.
        features: holdout rows, shape (n, columns), of which at most 1,000 are used.
        seed: of their choice.
    """
    explain = next((each for method, each in _EXPLAINERS.items() if hasattr(type(estimator[-1]), method)), None)
    preprocessing = estimator[:-1]
    if explain is None or not hasattr(preprocessing[0], "get_feature_names_out"):
        return ()
    rows = features.iloc[sample(len(features), seed, MOST_ROWS)]
    with limited_threads(1):
        matrix = preprocessing.transform(rows)
        found = np.abs(explain(estimator[-1], matrix))
    names = [str(name) for name in preprocessing.get_feature_names_out()]
    # of several classes, the contributions to all of them
    means = found.reshape(len(rows), -1, len(names)).sum(axis=1).mean(axis=0)
    first = np.argsort(-means, kind="stable")[:_SHOWN]
    return tuple(Importance(name=names[place], value=float(means[place])) for place in first if means[place] > 0)


def _of_lightgbm(model: Any, matrix: Any) -> np.ndarray:
    raw = model.predict(matrix, pred_contrib=True)
    # a sparse matrix is answered by sparse ones, one for each class
    parts = raw if isinstance(raw, list) else [raw]
    dense = [np.asarray(each.todense()) if hasattr(each, "todense") else np.asarray(each) for each in parts]
    whole = np.concatenate(dense, axis=1)
    columns = matrix.shape[1] + 1
    return whole.reshape(len(whole), -1, columns)[:, :, :-1]


def _of_xgboost(model: Any, matrix: Any) -> np.ndarray:
    from xgboost import DMatrix

    found = np.asarray(model.get_booster().predict(DMatrix(matrix, nthread=1), pred_contribs=True))
    return found.reshape(len(found), -1, found.shape[-1])[:, :, :-1]


def _of_catboost(model: Any, matrix: Any) -> np.ndarray:
    found = np.asarray(model.contributions(matrix))
    return found.reshape(len(found), -1, found.shape[-1])[:, :, :-1]


_EXPLAINERS: Mapping[str, Callable[[Any, Any], np.ndarray]] = {
    "booster_": _of_lightgbm,
    "get_booster": _of_xgboost,
    "contributions": _of_catboost,
}
"""By the method or property that the estimators of one library have."""
