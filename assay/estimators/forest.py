"""Random forests, under a name for either task and under the names of the two tasks.

Does not belong here: how families are found by name (`registry`), or joined with preprocessing (`assembly`).
"""

from dataclasses import replace

from assay.estimators.family import FamilyCard
from assay.specs.learning import SearchParameter

RANDOM_FOREST = FamilyCard(
    name="random_forest",
    encoding="ordinal",
    classifier="sklearn.ensemble:RandomForestClassifier",
    regressor="sklearn.ensemble:RandomForestRegressor",
    incremental=True,
    # leaves of one row make models of hundreds of megabytes and poor probabilities
    defaults={"n_estimators": 200, "min_samples_leaf": 2},
    search_space={
        "n_estimators": SearchParameter(type="int", low=50, high=400, step=50),
        "max_depth": SearchParameter(type="int", low=4, high=24),
        "min_samples_leaf": SearchParameter(type="int", low=1, high=50, log=True),
        "max_features": SearchParameter(type="float", low=0.1, high=1.0),
    },
)

RANDOM_FOREST_CLASSIFIER = replace(RANDOM_FOREST, name="random_forest_classifier", regressor=None)

RANDOM_FOREST_REGRESSOR = replace(RANDOM_FOREST, name="random_forest_regressor", classifier=None)
