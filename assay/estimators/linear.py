"""Linear models.

`linear_regression` is ordinary least squares and has nothing to search.
Does not belong here: how families are found by name (`registry`), or joined with preprocessing (`assembly`).
"""

from assay.estimators.family import FamilyCard
from assay.specs.learning import SearchParameter

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
