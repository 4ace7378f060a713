"""What each prepared column contributes to the output of a booster, by the booster's own exact tree SHAP values.

Source: Lundberg, Erion and Lee (2018), "Consistent individualized feature attribution for tree ensembles". LightGBM,
XGBoost and CatBoost compute the values themselves; other families have none here. A booster below calibration,
threshold or a transform of the target is explained as it was fitted; the members of an average or a stack each by
themselves, since the values of their outputs have no common scale.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.learning.estimators.assembly import limited_threads
from assay.learning.evaluation.drawing import sample
from assay.reporting.model_report import Importance

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 1_000
RAW_OUTPUT = "on the scale of its raw output"
_SHOWN = 15


@dataclass(frozen=True, slots=True)
class Contributions:
    """What the columns contribute.

    Attributes:
        of_model: of a single booster, at most 15 columns, the largest first.
        scale: of its values.
        of_members: of each booster in an average or a stack, by family.
    """

    of_model: tuple[Importance, ...] = ()
    scale: str = RAW_OUTPUT
    of_members: dict[str, tuple[Importance, ...]] = field(default_factory=dict)


def contributions_of(estimator: Any, features: "pd.DataFrame", seed: int) -> Contributions:
    """Return the mean absolute contributions of prepared columns; empty where the model gives none.

    Args:
        estimator: fitted pipeline of the steps `preprocessing` and `model`.
        features: holdout rows, shape (n, columns), of which at most 1,000 are used.
        seed: of their choice.
    """
    rows = features.iloc[sample(len(features), seed, MOST_ROWS)]
    model, scale = _fitted_booster(estimator[-1])
    with limited_threads(1):
        if not hasattr(model, "named_estimators_"):
            return Contributions(_means(estimator[:-1], model, rows), scale)
        prepared = estimator[:-1].transform(rows)
        members = {name: _of_member(each, prepared) for name, each in model.named_estimators_.items()}
    return Contributions(of_members={name: found for name, found in members.items() if found})


def _of_member(member: Any, rows: Any) -> tuple[Importance, ...]:
    return _means(member[:-1], _fitted_booster(member[-1])[0], rows) if hasattr(member, "steps") else ()


def _fitted_booster(model: Any) -> tuple[Any, str]:
    """Return the model below calibration, threshold and a transform of the target, and the scale of its output."""
    from assay.learning.estimators.decisions import undecided
    from assay.learning.estimators.target_transforms import within_transform

    booster, transformed = within_transform(undecided(model))
    if transformed is not None:
        return booster, f"on the scale of the target's {transformed.transform}"
    return booster, RAW_OUTPUT if booster is model else f"{RAW_OUTPUT}, before calibration and threshold"


def _means(preprocessing: Any, model: Any, rows: Any) -> tuple[Importance, ...]:
    explain = next((each for method, each in _EXPLAINERS.items() if hasattr(type(model), method)), None)
    named = getattr(preprocessing[-1], "columns_", preprocessing[-1])  # below the fitted steps of `features`
    if explain is None or not hasattr(named, "get_feature_names_out"):
        return ()
    found = np.abs(explain(model, preprocessing.transform(rows)))
    names = [str(name) for name in named.get_feature_names_out()]
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

    rows = DMatrix(matrix, nthread=1, enable_categorical=True)
    found = np.asarray(model.get_booster().predict(rows, pred_contribs=True))
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
