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
from assay.learning.preprocessing.known_steps import KNOWN_STEPS, require_step
from assay.specs.dataset import ColumnRole
from assay.specs.preprocessing import PreprocessingSpec

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
        ([step("binning", "n"), step("min_max_scaler", "m", "n"), step("binning", "n")], SpecError, "make the same"),
        ([step("standard_scaler", "n", "n")], SpecError, "make the same"),
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


def test_a_column_may_stand_in_several_groups_that_make_different_things_of_it():
    frame = pd.DataFrame(
        {"n": [1.0, 2.0, 3.0, 4.0], "m": [0.0] * 4, **{name: [None] * 4 for name in ROLES if name not in "nm"}}
    )
    made = built(
        step("passthrough", "n"),
        step("min_max_scaler", "n"),
        step("binning", "n", n_bins=2),
        step("drop", *[each for each in ROLES if each != "n"]),
    )
    outputs = made.fit_transform(frame)
    assert outputs[:, 0].tolist() == [1, 2, 3, 4]
    assert outputs[:, 1].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert outputs[:, 2:].argmax(axis=1).tolist() == [0, 0, 1, 1]
    names = made.get_feature_names_out().tolist()
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("onehot", "one_hot_encoder"),
        ("OneHot", "one_hot_encoder"),
        ("get_dummies", "one_hot_encoder"),
        ("label_encoder", "ordinal_encoder"),
        ("target_mean", "target_encoder"),
        ("simple_imputer", "impute"),
        ("min-max", "min_max_scaler"),
        ("z_score", "standard_scaler"),
        ("kbins", "binning"),
        ("poly", "polynomial"),
        ("SVD", "truncated_svd"),
        ("quantil_transformer", "quantile_transformer"),
    ],
)
def test_what_people_call_a_step_is_answered_by_its_name(name, hint):
    with pytest.raises(SpecError, match=f"did you mean '{hint}'"):
        require_step(name)


def test_no_alias_stands_for_two_steps_or_is_a_step():
    aliases = [alias for known in KNOWN_STEPS.values() for alias in known.aliases]
    assert len(set(aliases)) == len(aliases)
    assert not {*aliases} & {*KNOWN_STEPS}


def chain(*names, columns=("n", "m"), **parts):
    return {"step": list(names), "columns": columns, **parts}


@pytest.mark.parametrize("encoding", ["one_hot", "ordinal"])
def test_a_group_of_columns_goes_through_a_list_of_steps(encoding):
    pca = {"step": "pca", "parameters": {"n_components": 1}}
    quantiles = {"step": "quantile_transformer", "parameters": {"n_quantiles": 10}}
    fitted = built(chain("impute", quantiles, pca), encoding=encoding, roles={"n": "numeric", "m": "numeric"})
    assert fitted.fit_transform(rows()).shape == (30, 1)
    assert list(fitted.transformers_[0][1].named_steps) == ["impute", "quantile_transformer", "pca"]


@pytest.mark.parametrize("name", ["pca", "polynomial", "binning", "spline"])
@pytest.mark.parametrize("encoding", ["one_hot", "ordinal"])
def test_missing_values_are_filled_before_a_step_that_refuses_them(name, encoding):
    roles = {"n": "numeric", "m": "numeric"}
    for steps in (step(name, "n", "m"), chain({"step": "own_transformers:Doubled"}, columns=["n", "m"])):
        assert np.isfinite(np.nansum(built(steps, encoding=encoding, roles=roles).fit_transform(rows())))
    values = built(step(name, "n", "m"), encoding=encoding, roles=roles).fit_transform(rows())
    assert np.isfinite(values.toarray() if hasattr(values, "toarray") else values).all()


def test_interactions_are_of_the_columns_alone_and_not_of_indicators():
    roles = {"n": "numeric", "m": "numeric"}
    fitted = built(step("polynomial", "n", "m", interaction_only=True), roles=roles).fit(rows())
    assert fitted.get_feature_names_out().tolist() == ["step0__n", "step0__m", "step0__n m"]


@pytest.mark.parametrize("encoding", ["one_hot", "ordinal"])
@pytest.mark.parametrize(
    "names",
    [
        ["impute", "target_encoder"],
        ["impute", "ordinal_encoder"],
        ["impute", "one_hot_encoder", "pca"],
        ["frequency_encoder", "standard_scaler"],
        ["hashing_encoder"],
        ["hashing_encoder", {"step": "truncated_svd", "parameters": {"n_components": 2}}],
    ],
)
def test_categories_go_through_a_list_of_steps(names, encoding):
    fitted = built(chain(*names, columns=["c"]), encoding=encoding, roles={"c": "categorical"})
    values = fitted.fit_transform(rows(), np.arange(30) % 2)
    assert np.isfinite(values).all()
    assert len(fitted.transform(rows(2).assign(c=["new", None]))) == 2


def test_means_in_a_chain_are_out_of_fold():
    frame = pd.DataFrame({"c": np.array([f"u{n // 2}" for n in range(2_000)], dtype=object)})
    target = np.random.default_rng(1).random(len(frame)) < 0.5
    names = ["target_encoder", "standard_scaler"]
    fitted = built(chain(*names, columns=["c"]), roles={"c": "categorical"})
    means = fitted.fit_transform(frame, target)[:, 0]
    assert abs(np.corrcoef(means, target)[0, 1]) < 0.1


def test_a_group_is_filled_by_the_rows_that_agree_in_other_columns_which_stay_features():
    roles = {"n": "numeric", "c": "categorical"}
    fill = {"step": ["group_impute", "standard_scaler"], "columns": ["n"], "by": ["c"]}
    fitted = built(fill, roles=roles).fit(rows())
    assert {name.partition("__")[0] for name in fitted.get_feature_names_out()} == {"categorical", "step0"}
    assert np.isfinite(fitted.transform(rows())).all()


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (chain(), "empty list"),
        (chain("impute", "drop"), "stands alone"),
        (chain("impute", "pca", parameters={"n_components": 1}), "beside a list"),
        (chain("pca", by=["c"]), "`by` is for group_impute"),
        (chain("group_impute"), "needs `by`"),
        (chain("group_impute", by=["n"]), "both name n"),
        (chain("pca", name="a.b"), "no name of a group"),
        (chain("pca", name="7"), "no name of a group"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(given, what):
    with pytest.raises(ValueError, match=what):
        PreprocessingSpec.model_validate_json(json.dumps({"steps": [given]}))


def test_groups_have_names_of_their_own():
    given = [chain("pca", columns=["n"], name="one"), chain("pca", columns=["m"], name="one")]
    with pytest.raises(ValueError, match="one name"):
        PreprocessingSpec.model_validate_json(json.dumps({"steps": given}))


def test_fields_that_are_not_set_are_no_part_of_the_file():
    """Files of earlier versions keep their digests."""
    spec = PreprocessingSpec.model_validate_json(json.dumps({"steps": [step("pca", "n")]}))
    assert spec.model_dump(mode="json")["steps"] == [{"step": "pca", "columns": ["n"], "parameters": {}}]


def test_a_search_sets_parameters_of_steps_by_group_and_name():
    given = [
        chain("impute", "pca", "pca", name="money", columns=["n"]),
        step("own_transformers:Doubled", "m", factor=2),
    ]
    spec = PreprocessingSpec.model_validate_json(json.dumps({"steps": given}))
    assert list(spec.transformers) == ["money.impute", "money.pca", "money.pca_2", "1.Doubled"]
    found = {"steps.money.pca_2.n_components": 1, "steps.1.Doubled.factor": 5, "learning_rate": 0.1}
    changed = spec.with_values(found)
    assert [each.parameters for each in changed.steps[0].chain] == [{}, {}, {"n_components": 1}]
    assert changed.steps[1].parameters == {"factor": 5}
    assert spec.with_values({"learning_rate": 0.1}) is spec
