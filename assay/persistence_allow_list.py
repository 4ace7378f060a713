"""The types that a stored model may hold beside those that skops itself trusts.

Skops trusts scikit-learn's public estimators and plain containers. Named here, in full and one by one, is what our own
families need beyond that; `tests/unit/test_persistence.py` saves and loads each family, so that a new version of a
library that needs another name is noticed there and not in production.

Does not belong here: checking a file against the list (`persistence`).
"""

ALLOWED_TYPES = frozenset(
    {
        "assay.estimators.xgboost_labels.LabelledXGBClassifier",
        "assay.transformers.calendar_features.CalendarFeatures",
        "assay.transformers.raw_numbers.RawNumbers",
        "assay.transformers.text_features.TextFeatures",
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
        "numpy.dtype",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.model_selection._split.KFold",
        "sklearn.tree._tree.Tree",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBRegressor",
    }
)
