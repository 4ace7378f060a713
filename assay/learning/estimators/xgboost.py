"""XGBoost on the CPU."""

from typing import Any

from assay.learning.estimators.family import ADDED_TREES, FamilyCard, register
from assay.specs.learning import SearchParameter


def _continue(fitted: Any, unfitted: Any, X: Any, y: Any) -> Any:  # noqa: N803 - scikit-learn's name
    return unfitted.set_params(n_estimators=ADDED_TREES).fit(X, y, xgb_model=fitted.get_booster())


register(
    FamilyCard(
        name="xgboost",
        encoding="ordinal",
        classifier="assay.learning.estimators.xgboost_labels:LabelledXGBClassifier",
        regressor="xgboost:XGBRegressor",
        continuation=_continue,
        extra="xgboost",
        distributions=("xgboost-cpu", "xgboost"),  # two wheels of one library
        stored_types=frozenset(
            {
                "assay.learning.estimators.xgboost_labels.LabelledXGBClassifier",
                "xgboost.core.Booster",
                "xgboost.sklearn.XGBRegressor",
            }
        ),
        # the library's learning rate of 0.3 is coarse beside the other boosters' 0.1
        defaults={"tree_method": "hist", "device": "cpu", "verbosity": 0, "n_estimators": 100, "learning_rate": 0.1},
        search_space={
            "n_estimators": SearchParameter(type="int", low=50, high=500, log=True),
            "learning_rate": SearchParameter(type="float", low=0.02, high=0.3, log=True),
            "max_depth": SearchParameter(type="int", low=3, high=10),
            "min_child_weight": SearchParameter(type="float", low=0.5, high=50.0, log=True),
            "subsample": SearchParameter(type="float", low=0.5, high=1.0),
            "colsample_bytree": SearchParameter(type="float", low=0.4, high=1.0),
            "reg_lambda": SearchParameter(type="float", low=1e-3, high=100.0, log=True),
        },
    )
)
