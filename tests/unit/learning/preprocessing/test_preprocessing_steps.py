import json
import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin

from assay.data.schema import ColumnSchema, TableSchema
from assay.errors import MissingColumnError, SpecError
from assay.learning.preprocessing.assembly import build_preprocessor
from assay.specs.dataset import ColumnRole
from assay.specs.learning import PreprocessingSpec

ROLES = {"n": "numeric", "m": "numeric", "c": "categorical", "w": "text", "v": "text"}


class Doubled(TransformerMixin, BaseEstimator):
    def __init__(self, factor=2, random_state=None):
        self.factor = factor
        self.random_state = random_state

    def fit(self, rows, y=None):
        return self

    def transform(self, rows):
        return rows.to_numpy() * self.factor


@pytest.fixture(autouse=True)
def own_transformers(monkeypatch):
    module = ModuleType("own_transformers")
    module.Doubled = Doubled
    monkeypatch.setitem(sys.modules, "own_transformers", module)


def rows(n=30):
    draw = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "n": np.where(np.arange(n) == 2, np.nan, draw.normal(size=n)),
            "m": draw.normal(size=n),
            "c": np.array(["x", None, "y"], dtype=object)[np.arange(n) % 3],
            "w": np.array(["red car", "", "blue"], dtype=object)[np.arange(n) % 3],
            "v": np.array(["one two", "", "three"], dtype=object)[np.arange(n) % 3],
        }
    )


def built(*steps, encoding="one_hot", seed=42, roles=ROLES):
    columns = tuple(ColumnSchema(name=name, dtype="any", role=ColumnRole(role)) for name, role in roles.items())
    preparation = PreprocessingSpec.model_validate_json(json.dumps({"steps": steps}))
    return build_preprocessor(TableSchema(version=1, columns=columns), preparation, encoding, seed=seed, dense=True)


def step(name, *columns, **parameters):
    return {"step": name, "columns": columns, "parameters": parameters}


@pytest.mark.parametrize("name", ["standard_scaler", "min_max_scaler", "robust_scaler", "quantile_transformer"])
@pytest.mark.filterwarnings("ignore:n_quantiles")
def test_a_scaler_takes_missing_values_in_models_that_do_not(name):
    assert np.isfinite(built(step(name, "n", "m")).fit_transform(rows())).all()


@pytest.mark.parametrize("name", ["one_hot_encoder", "ordinal_encoder", "target_encoder"])
def test_an_encoder_takes_unknown_and_missing_categories(name):
    fitted = built(step(name, "c"), encoding="ordinal").fit(rows(), np.arange(30) % 2)
    assert len(fitted.transform(rows(2).assign(c=["new", None]))) == 2


def test_the_target_encoder_is_repeatable():
    target = np.arange(30) % 2
    first, again = (built(step("target_encoder", "c")).fit_transform(rows(), target) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_each_text_column_gets_a_vocabulary_of_its_own():
    names = built(step("tfidf", "w", "v")).fit(rows()).get_feature_names_out()
    assert {"step0__w_red", "step0_1__v_two"} <= set(names)


def test_a_dropped_column_is_gone():
    names = built(step("drop", "n", "w", "v", "c")).fit(rows()).get_feature_names_out()
    assert names.tolist() == ["numeric__m"]


def test_a_transformer_of_the_users_own_gets_its_parameters_and_the_seed():
    preprocessor = built(step("own_transformers:Doubled", "m", factor=3), seed=7, roles={"m": "numeric"})
    np.testing.assert_array_equal(preprocessor.fit_transform(rows())[:, 0], rows()["m"] * 3)
    assert preprocessor.transformers_[0][1].random_state == 7


@pytest.mark.parametrize(
    ("steps", "error", "what"),
    [
        ([step("standard_scalr", "n")], SpecError, "did you mean 'standard_scaler'"),
        ([step("standard_scaler", "nn")], MissingColumnError, "no feature 'nn'; did you mean 'n'"),
        ([step("drop", "n"), step("passthrough", "n")], SpecError, "used by two steps"),
        ([step("standard_scaler", "n", with_meen=True)], SpecError, "did you mean 'with_mean'"),
        ([step("one_hot_encoder", "c", max_categories=-1)], SpecError, "refuses its parameters"),
        ([step("passthrough", "n", x=1)], SpecError, "takes no parameters"),
        ([step("no_such_module:X", "n")], SpecError, "cannot be imported"),
        ([step("collections:OrderedDict", "n")], SpecError, "no transformer"),
        ([step("drop", *ROLES)], SpecError, "every feature is dropped"),
    ],
)
def test_a_step_that_cannot_be_built_is_refused_with_its_place(steps, error, what):
    with pytest.raises(error, match=what) as caught:
        built(*steps)
    assert caught.value.where.startswith("preprocessing.steps")
