"""Linear models.

`linear_regression` is ordinary least squares and has nothing to search.

Random forests, under a name for either task and under the names of the two tasks.

scikit-learn's histogram gradient boosting; it stops early on rows of its own training data.
"""

from dataclasses import replace

from assay.learning.estimators.family import FamilyCard
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


LOGISTIC_REGRESSION = FamilyCard(
    name="logistic_regression",
    encoding="one_hot",
    classifier="sklearn.linear_model:LogisticRegression",
    incremental=True,
    threads_parameter=None,  # scikit-learn deprecates its n_jobs, which does nothing
    # scaled columns converge well below this; the library's 100 is short for correlated one-hot columns
    defaults={"max_iter": 1000},
    search_space={"C": SearchParameter(type="float", low=1e-3, high=1e2, log=True)},
)

LINEAR_REGRESSION = FamilyCard(
    name="linear_regression",
    encoding="one_hot",
    regressor="sklearn.linear_model:LinearRegression",
)

RIDGE = FamilyCard(
    name="ridge",
    encoding="one_hot",
    regressor="sklearn.linear_model:Ridge",
    search_space={"alpha": SearchParameter(type="float", low=1e-3, high=1e3, log=True)},
)
