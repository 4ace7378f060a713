"""Fitted steps as a pipeline file has them: refused with their line when the file is loaded, no part of the rows."""

import pytest

from assay.errors import AssayError
from assay.learning.known_names import name_check
from assay.specs.loading import parse_pipeline
from ml_assets.pipeline.code_version import FEATURES, FITTED, code_version

HEAD = """\
name: rents
task: regression
dataset: {source: rents.csv, target: rent}
features:
  steps:
    - derive: {per: area / 10.0}
"""
SCHEMA = """\
version: 1
columns:
- {name: area, dtype: int64, role: numeric}
- {name: town, dtype: string, role: categorical}
- {name: rent, dtype: double, role: numeric}
"""
FEATURES_SCHEMA = SCHEMA + "- {name: per, dtype: double, role: numeric}\n"


def spec_of(steps, schemas=None, more=""):
    lines = "".join(f"    - {step}\n" for step in steps)
    return parse_pipeline(HEAD + lines + more, where="rents.yaml", names=name_check(schemas))


def refusal(*steps, schemas=None, task="regression"):
    with pytest.raises(AssayError) as caught:
        parse_pipeline(
            HEAD.replace("regression", task) + "".join(f"    - {step}\n" for step in steps),
            where="rents.yaml",
            names=name_check(schemas),
        )
    return str(caught.value)


@pytest.mark.parametrize(
    ("steps", "line", "text"),
    [
        (
            ["clip: {area: {iqr: 1.5}}", "derive: {more: area * 2}"],
            7,
            "so it comes after all steps that make the feature set: move it behind derive (step 3)",
        ),
        (["outliers: {area: {iqr: 2}}", "filter: area > 0"], 7, "outliers is fitted on the training rows"),
        (["fill: {area: {strategy: mean}}", "fill: {town: none}"], 7, "move it behind fill (step 3)"),
        (["clip: {area: {iqr: 1.5}, per: {min: 0}}"], 7, "'per' belongs into another"),
        (["clip: {area: {quantiles: [0.9, 0.1]}}"], 7, "the lower quantile comes first: [0.1, 0.9]"),
        (["clip: {area: {quantiles: [1, 99]}}"], 7, "less than or equal to 1"),
        (["clip: {area: {quantiles: [0.1, 0.9], iqr: 1}}"], 7, "exclude each other"),
        (["clip: {area: {min: 1, iqr: 1}}"], 7, "bounds need min, max or both; or quantiles or iqr"),
        (["clip: {area: {quantile: [0.1, 0.9]}}"], 7, "did you mean 'quantiles'"),
        (["outliers: {area: {min: 0}}"], 7, "unknown key 'min'"),
        (["outliers: {area: {}}"], 7, "quantiles or iqr is missing"),
        (["fill: {area: {strategy: medain}}"], 7, "'median', 'mean' or 'most_frequent'"),
        (["fill: {area: {strategi: median}}"], 7, "did you mean 'strategy'"),
        (["{clip: {area: {iqr: 1.5}}, max_dropped: 0.1}"], 7, "clip drops no row"),
        (["clip: {rent: {iqr: 1.5}}"], 7, "'rent' is no feature"),
    ],
)
def test_a_fitted_step_that_cannot_be_is_refused_with_its_line(steps, line, text):
    found = refusal(*steps)
    assert text in found, found
    assert f"rents.yaml:{line} " in found, found


@pytest.fixture
def schemas(tmp_path):
    (tmp_path / "rents.v1.yaml").write_text(SCHEMA)
    return tmp_path


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("clip: {aria: {iqr: 1.5}}", "did you mean 'area'"),
        ("fill: {area: {strategy: median, by: [twon]}}", "did you mean 'town'"),
        ("outliers: {pre: {iqr: 1.5}}", "did you mean 'per'"),
    ],
)
def test_columns_are_compared_with_the_frozen_schema_at_load(schemas, step, text):
    found = refusal(step, schemas=schemas)
    assert text in found
    assert "rents.yaml:7 " in found, found


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("clip: {town: {iqr: 1.5}}", "its role is categorical"),
        ("fill: {town: {strategy: median}}", "`most_frequent` also fills truth values and categories"),
        ("fill: {area: median}", "write {strategy: median} for that of the training rows"),
    ],
)
def test_roles_are_compared_with_the_frozen_schema_at_load(schemas, step, text):
    digest = spec_of(()).features.digest
    (schemas / "rents.features.v1.yaml").write_text(f"{FEATURES_SCHEMA}steps: {digest}\n")
    spec_of(["fill: {town: {strategy: most_frequent}, per: {strategy: median, by: [town]}}"], schemas)
    assert text in refusal(step, schemas=schemas)


def test_outliers_may_name_a_target_that_is_a_number():
    spec_of(["outliers: {rent: {iqr: 3}}"])
    assert "'rent' is no feature" in refusal("outliers: {rent: {iqr: 3}}", task="binary_classification")


def test_fitted_steps_are_no_part_of_the_feature_set_and_its_version():
    plain, one, other = (spec_of(steps) for steps in ((), ["clip: {area: {iqr: 1}}"], ["clip: {area: {iqr: 2}}"]))
    assert plain.features.digest == one.features.digest
    assert one.rules_digest == other.rules_digest  # the column must be there, whatever the bounds
    assert code_version(plain, [FEATURES]) == code_version(one, [FEATURES]) == code_version(other, [FEATURES])
    assert code_version(one, [FITTED]) != code_version(other, [FITTED])
    assert FITTED not in code_version(plain, [FITTED])


@pytest.mark.parametrize(
    ("key", "ranged", "text"),
    [
        ("features.tails.aera.iqr", "low: 1, high: 2", "did you mean 'features.tails.area.iqr'"),
        ("features.tails.area.iqr", "low: 0, high: 2", "greater than 0"),
        ("features.tails.area.iqr", "low: 2, high: 3", "a number from 2 to 3"),
        ("features.2.area.lower", "low: 0, high: 0.99", "the lower quantile comes first"),
    ],
)
def test_searched_bounds_are_those_of_fitted_steps(key, ranged, text):
    steps = ["{name: tails, clip: {area: {iqr: 1.5}}}", "outliers: {area: {quantiles: [0.01, 0.99]}}"]
    tuning = "tuning: {search_space: {NAME: {type: float, RANGE}}}\n"
    spec_of(steps, more=tuning.replace("NAME", "features.tails.area.iqr").replace("RANGE", "low: 1, high: 2"))
    with pytest.raises(AssayError, match=text):
        spec_of(steps, more=tuning.replace("NAME", key).replace("RANGE", ranged))
