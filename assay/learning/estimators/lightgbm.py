"""LightGBM, configured so that the same rows and seed give the same model."""

from typing import Any

from assay.learning.estimators.family import ADDED_TREES, FamilyCard, register
from assay.specs.learning import SearchParameter


def _continue(fitted: Any, unfitted: Any, X: Any, y: Any) -> Any:  # noqa: N803 - scikit-learn's name
    from lightgbm import Booster

    model = unfitted.set_params(n_estimators=ADDED_TREES).fit(X, y, init_model=fitted)
    # the fitted booster keeps a reference to the champion, which is not needed (its trees are copied) and not stored
    model._Booster = Booster(model_str=model.booster_.model_to_string())  # noqa: SLF001 - no public setter
    return model


register(
    FamilyCard(
        name="lightgbm",
        encoding="ordinal",
        classifier="lightgbm:LGBMClassifier",
        regressor="lightgbm:LGBMRegressor",
        continuation=_continue,
        extra="lightgbm",
        distributions=("lightgbm",),
        stored_types=frozenset(
            {
                "collections.OrderedDict",
                "lightgbm.basic.Booster",
                "lightgbm.sklearn.LGBMClassifier",
                "lightgbm.sklearn.LGBMRegressor",
            }
        ),
        # without force_row_wise the histogram layout is chosen by a timing, and the sums differ between runs
        defaults={"deterministic": True, "force_row_wise": True, "verbose": -1, "subsample_freq": 1},
        further_parameters=frozenset(
            {
                "extra_trees",
                "is_unbalance",
                "linear_tree",
                "max_bin",
                "max_delta_step",
                "path_smooth",
                "scale_pos_weight",
            }
        ),
        search_space={
            "n_estimators": SearchParameter(type="int", low=50, high=500, log=True),
            "learning_rate": SearchParameter(type="float", low=0.02, high=0.3, log=True),
            "num_leaves": SearchParameter(type="int", low=7, high=127, log=True),
            "min_child_samples": SearchParameter(type="int", low=5, high=200, log=True),
            "subsample": SearchParameter(type="float", low=0.5, high=1.0),
            "colsample_bytree": SearchParameter(type="float", low=0.4, high=1.0),
            "reg_lambda": SearchParameter(type="float", low=1e-3, high=100.0, log=True),
        },
    )
)
