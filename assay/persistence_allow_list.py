"""The types that a stored model may hold beside those that skops itself trusts.

Skops trusts scikit-learn's public estimators and plain containers. Named here, in full and one by one, is what our own
families need beyond that; `tests/unit/test_persistence.py` saves and loads each family, so that a new version of a
library that needs another name is noticed there and not in production.

Does not belong here: checking a file against the list (`persistence`).
"""

ALLOWED_TYPES = frozenset(
    {
        "assay.estimators.xgboost_labels.LabelledXGBClassifier",
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
        "numpy.dtype",
        "sklearn.compose._column_transformer._RemainderColsList",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRegressor",
    }
)
