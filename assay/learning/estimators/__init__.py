"""Model families: a name becomes an unfitted estimator with a search space and capabilities.

Belongs here: families, their registry, the pipeline of preprocessing and model, continuing from a fitted state.
Does not belong here: preprocessing itself, tuning, the final fit.

A new family is a module that registers its card, and one import below.
"""

from assay.learning.estimators import lightgbm, sklearn_families, xgboost

__all__ = ["lightgbm", "sklearn_families", "xgboost"]
