"""Reports on specifications that were refused only after a search and a fit, or in words that do not help."""

import re

import pytest
from small_platform import BANK

from assay.errors import AssayError, SpecError
from assay.learning.estimators.family import meant_family
from assay.learning.known_names import name_errors
from assay.specs.loading import parse_pipeline, read_pipelines

TEXT = BANK.format(source="a.csv")


def refused(text):
    with pytest.raises(AssayError) as caught:
        parse_pipeline(text, where="bank.yaml", names=name_errors)
    return caught.value


@pytest.mark.parametrize(
    ("added", "name", "hint"),
    [
        ("evaluation:\n  metrics: [accurracy]\n", "accurracy", "accuracy"),
        ("evaluation:\n  minimum:\n    roc_auk: 0.6\n", "roc_auk", "roc_auc"),
        ("evaluation:\n  primary_metric: rmse\n", "rmse", ""),
        (
            "preprocessing:\n  steps:\n    - {step: standard_scalar, columns: [age]}\n",
            "standard_scalar",
            "standard_scaler",
        ),
    ],
)
def test_unknown_names_are_refused_at_load_with_their_line(added, name, hint):
    """They were found only after search and fit."""
    error = refused(TEXT + added)
    assert f"'{name}'" in error.what
    assert hint in error.what
    line = next(number for number, each in enumerate((TEXT + added).splitlines(), 1) if name in each)
    assert error.where.startswith(f"bank.yaml:{line} ")


@pytest.mark.parametrize(
    ("added", "line", "what"),
    [
        ("evaluation:\n  minimum:\n    roc_auc: 7\n", 3, "no model reaches this bound of 'roc_auc'"),
        ("evaluation:\n  minimum: {log_loss: -0.1}\n", 2, "no model reaches this bound of 'log_loss'"),
        ("validation:\n  expressions:\n    adult: 'age >'\n", 3, "not a SQL expression"),
        ("validation:\n  expressions: {past: 'now() > made'}\n", 2, "not a SQL expression"),
        ("validation:\n  conditional:\n  - {when: 'a = 1', then: '(select 1)'}\n", 3, "not a SQL expression"),
        ("validation:\n  warn:\n  - vals_allowed\n", 3, "'warn' is not acceptable"),
    ],
)
def test_what_cannot_hold_or_be_evaluated_is_refused_at_load(added, line, what):
    """A bound beyond the best value and an expression without an operand were found after the search, by the gate."""
    text = re.sub(r"validation:\n(  .*\n)+", "", TEXT)
    error = refused(text + added)
    assert what in error.what
    assert error.where.startswith(f"bank.yaml:{len(text.splitlines()) + line} ")


@pytest.mark.parametrize("bounds", ["{roc_auc: 1, log_loss: 0}", "{expected_calibration_error: 0.05}"])
def test_a_bound_that_the_best_model_reaches_is_accepted(bounds):
    parse_pipeline(TEXT + f"evaluation: {{minimum: {bounds}}}\n", where="bank.yaml", names=name_errors)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("xgboost_classifier", "xgboost"),
        ("xgboost_regressor", "xgboost"),
        ("XGBClassifier", "xgboost"),
        ("lightgbm_classifier", "lightgbm"),
        ("lightgbm_regressor", "lightgbm"),
        ("LGBMRegressor", "lightgbm"),
        ("LogisticRegression", "logistic_regression"),
        ("HistGradientBoostingClassifier", "hist_gradient_boosting"),
    ],
)
def test_a_family_is_found_by_meaning(name, family):
    """`xgboost_classifier` suggested `random_forest_classifier`."""
    assert meant_family(name) == family
    if family != "linear_regression":
        assert f"did you mean '{family}'?" in refused(TEXT.replace("[logistic_regression]", f"[{name}]")).what


@pytest.mark.parametrize("name", ["a/b", "a:b", "' '"])
def test_a_model_name_that_the_registry_refuses_is_refused_at_load(name):
    error = refused(TEXT.replace("model: {", f"model: {{name: {name}, "))
    assert "registered model" in str(error)


def test_a_yml_file_is_a_pipeline(tmp_path):
    """`churn.yml` was passed over without a word."""
    (tmp_path / "churn.yml").write_text(TEXT)
    assert [spec.name for spec in read_pipelines(tmp_path).pipelines.values()] == ["bank"]


def test_an_empty_section_says_what_is_expected():
    """An empty `validation:` was "Input should be an object"."""
    text = TEXT.replace("validation:\n", "validation:\nevaluation:\n", 1)
    cut = text[: text.index("evaluation:")] + text[text.index("split:") :]
    error = refused(cut)
    assert error.what == "'validation' is empty"
    assert "min_rows" in error.expected
    assert "remove it" in error.remedy
    assert error.where.startswith("bank.yaml:10 ")


def test_keys_that_begin_with_x_hold_shared_anchors():
    text = "x-ranges: &age {min: 17, max: 120}\n" + TEXT.replace("age: {min: 17, max: 120}", "age: *age")
    assert parse_pipeline(text, where="x") == parse_pipeline(TEXT, where="x")
    with pytest.raises(SpecError, match="unknown key 'xranges'"):
        parse_pipeline(text.replace("x-ranges", "xranges"), where="x")


@pytest.mark.parametrize(
    ("dataset", "scored", "message"),
    [
        ("sqlite:///rows.db\n  query: select * from t", "new.csv", "a query needs a database"),
        ("a.csv", "sqlite:///rows.db", "needs dataset.query"),
    ],
)
def test_scored_rows_that_cannot_be_read_like_the_others_are_refused_at_load(dataset, scored, message):
    text = BANK.format(source=dataset) + f"scoring:\n  source: {scored}\n"
    error = refused(text)
    assert message in error.expected
    assert error.where.endswith(" (scoring.source)")
    assert error.where.startswith(f"bank.yaml:{len(text.splitlines())} ")
    for usable in ("${SCORED}", "sqlite:///new.db" if "query" in dataset else "s3://b/new.csv"):
        parse_pipeline(text.replace(f"  source: {scored}", f"  source: {usable}"), where="x")
