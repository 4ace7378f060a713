"""Points of each booster that did well on public tables, each on others: a search tries them early.

Found by `benchmarks/portfolio.py`, on the tables of `benchmarks/tables.py` that judge nothing: taxi trips (two
targets), bikes of Seoul, air quality, a power station, and breast cancer. CatBoost has none, as measuring it took too
long.
"""

from collections.abc import Mapping
from typing import Any

from assay.specs.preprocessing import CATEGORIES

PORTFOLIO: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "lightgbm": (
        {
            "learning_rate": 0.169,
            "num_leaves": 107,
            "min_child_samples": 67,
            "subsample": 0.938,
            "colsample_bytree": 0.435,
            "reg_lambda": 0.0479,
            CATEGORIES: "ordinal",
        },
        {
            "learning_rate": 0.0867,
            "num_leaves": 111,
            "min_child_samples": 20,
            "subsample": 0.711,
            "colsample_bytree": 0.417,
            "reg_lambda": 0.00418,
            CATEGORIES: "ordinal",
        },
    ),
    "xgboost": (
        {
            "learning_rate": 0.0343,
            "max_depth": 9,
            "min_child_weight": 2.69,
            "subsample": 0.553,
            "colsample_bytree": 0.777,
            "reg_lambda": 43.2,
            CATEGORIES: "target",
        },
        {
            "learning_rate": 0.0745,
            "max_depth": 8,
            "min_child_weight": 36.9,
            "subsample": 0.679,
            "colsample_bytree": 0.743,
            "reg_lambda": 0.0407,
            CATEGORIES: "target",
        },
        {
            "learning_rate": 0.045,
            "max_depth": 6,
            "min_child_weight": 0.57,
            "subsample": 0.562,
            "colsample_bytree": 0.802,
            "reg_lambda": 1.72,
            CATEGORIES: "native",
        },
    ),
    "hist_gradient_boosting": (
        {
            "learning_rate": 0.0745,
            "max_leaf_nodes": 93,
            "min_samples_leaf": 179,
            "l2_regularization": 46.8,
            "max_features": 0.55,
            CATEGORIES: "target",
        },
        {
            "learning_rate": 0.045,
            "max_leaf_nodes": 65,
            "min_samples_leaf": 87,
            "l2_regularization": 0.00139,
            "max_features": 0.387,
            CATEGORIES: "ordinal",
        },
        {
            "learning_rate": 0.112,
            "max_leaf_nodes": 68,
            "min_samples_leaf": 57,
            "l2_regularization": 0.0016,
            "max_features": 0.312,
            CATEGORIES: "ordinal",
        },
    ),
}
"""By family, the best one first."""
