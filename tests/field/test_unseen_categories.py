"""Report: a category that training never had was treated as the first one: predicted .90 where .1 was right."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from assay.data.schema import ColumnSchema, TableSchema
from assay.learning.estimators.assembly import build_pipeline
from assay.learning.estimators.family import family
from assay.specs import PipelineSpec
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import Task

FEATURES = TableSchema(version=1, columns=(ColumnSchema(name="c", dtype="string", role=ColumnRole.CATEGORICAL),))
FAMILIES = ["hist_gradient_boosting", "lightgbm", "random_forest", "xgboost", "logistic_regression"]
FEW, MANY = list("ABCDE"), ["A", *(f"v{number}" for number in range(60))]


def rows_of(categories, rows, seed):
    """A is positive in 9 of 10 rows, all others in 1 of 10; one row in ten has no category, and is positive by half."""
    draw = np.random.default_rng(seed)
    names = draw.choice(np.array(categories, dtype=object), rows)
    missing = draw.random(rows) < 0.1
    target = draw.random(rows) < np.where(missing, 0.5, np.where(names == "A", 0.9, 0.1))
    return pd.DataFrame({"c": np.where(missing, None, names)}), target


def fitted(name, categories, swap, **parts):
    """Return a model of rows whose categories may have exchanged names: the first one is no special one."""
    document = {"name": "demo", "task": "binary_classification", "dataset": {"source": "r.csv", "target": "y"}, **parts}
    rows, target = rows_of(categories, 3_000, 0)
    parameters = {"n_estimators": 30} if name in {"lightgbm", "random_forest", "xgboost"} else {}
    pipeline = build_pipeline(
        family(name, Task.BINARY), parameters, FEATURES, PipelineSpec.model_validate_json(json.dumps(document))
    )
    return pipeline.fit(rows.replace(swap), target)


def share_of(model, value):
    return float(model.predict_proba(pd.DataFrame({"c": np.array([value], dtype=object)}))[0, 1])


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("swap", [{}, {"A": "C", "C": "A"}])
def test_an_unseen_category_is_predicted_as_categories_are_on_average(name, swap):
    model = fitted(name, FEW, swap)
    assert share_of(model, "NEW") == pytest.approx(0.26, abs=0.05), "the mean of .9 and four times .1"
    assert share_of(model, None) == pytest.approx(0.5, abs=0.1), "missing is not unseen"
    rows, target = rows_of([*FEW, "NEW"], 3_000, 1)
    present = rows["c"].notna().to_numpy()
    found = model.predict_proba(rows.replace(swap)[present])[:, 1]
    assert roc_auc_score(target[present], found) > 0.78


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        *((name, "native") for name in ("hist_gradient_boosting", "lightgbm", "xgboost", "catboost")),
        *(("lightgbm", encoding) for encoding in ("one_hot", "target", "hashing")),
        ("catboost", "ordinal"),
        ("logistic_regression", "target"),
    ],
)
def test_an_unseen_category_is_one_of_the_pool_in_every_encoding(name, encoding):
    model = fitted(name, FEW, {}, preprocessing={"categories": encoding})
    assert share_of(model, "NEW") == pytest.approx(0.26, abs=0.06)
    assert share_of(model, None) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("name", ["hist_gradient_boosting", "logistic_regression"])
def test_an_unseen_category_of_a_column_of_many_is_predicted_as_rows_are_on_average(name):
    assert share_of(fitted(name, MANY, {}), "NEW") == pytest.approx(0.15, abs=0.06)


def test_an_explicit_step_treats_unseen_categories_alike_unless_it_says_itself_what_becomes_of_them():
    step = {"step": "ordinal_encoder", "columns": ["c"]}
    alone = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    explicit = fitted("lightgbm", FEW, {}, preprocessing={"steps": [step]})
    own = fitted("lightgbm", FEW, {}, preprocessing={"steps": [step | {"parameters": alone}]})
    assert share_of(explicit, "NEW") == pytest.approx(0.26, abs=0.05)
    assert share_of(own, "NEW") == pytest.approx(0.9, abs=0.05)
