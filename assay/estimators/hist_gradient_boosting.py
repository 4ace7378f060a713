"""scikit-learn's histogram gradient boosting; it stops early on rows of its own training data.

Does not belong here: how families are found by name (`registry`), or joined with preprocessing (`assembly`).
"""

from assay.estimators.family import FamilyCard
from assay.specs.learning import SearchParameter

HIST_GRADIENT_BOOSTING = FamilyCard(
    name="hist_gradient_boosting",
    encoding="ordinal",
    classifier="sklearn.ensemble:HistGradientBoostingClassifier",
    regressor="sklearn.ensemble:HistGradientBoostingRegressor",
    incremental=True,
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
