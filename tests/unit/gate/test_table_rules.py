import json

import pyarrow as pa
import pytest

from assay.gate.gate import run_gate
from assay.gate.table_rules import required_columns
from assay.specs import PipelineSpec

FOUR = {"x": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("bounds", "passed"),
    [
        ({"min_rows": 4}, True),
        ({"min_rows": 5}, False),
        ({"max_rows": 4}, True),
        ({"max_rows": 3}, False),
    ],
)
def test_the_row_count_bounds_are_inclusive(rule, bounds, passed):
    result = rule("row_count_in_range", FOUR, **bounds)

    assert result.passed is passed
    assert "4 rows" in result.observed


def test_columns_that_exist_pass(rule):
    assert rule("columns_present", FOUR, columns_present=["x"]).passed


@pytest.mark.parametrize(
    "naming",
    [
        {"columns_present": ["xx"]},
        {"dtypes": {"xx": "integer"}},
        {"max_missing": {"xx": 0.5}},
        {"not_null": ["xx"]},
        {"unique": [["x", "xx"]]},
        {"ranges": {"xx": {"min": 0}}},
        {"allowed": {"xx": [1]}},
        {"drop_null_rows": ["xx"]},
    ],
)
def test_a_missing_column_named_in_any_rule_fails(rule, naming):
    result = rule("columns_present", FOUR, **naming)

    assert not result.passed
    assert result.failures[0].column == "xx"
    assert result.failures[0].found.startswith("does not exist")


@pytest.mark.parametrize(
    ("part", "digest_changes"),
    [
        ({"split": {"by": "group", "group": "xx"}}, True),
        ({"evaluation": {"slices": ["x", "xx"]}}, True),
        ({"preprocessing": {"steps": [{"step": "drop", "columns": ["xx"]}]}}, True),
        ({"scoring": {"columns": ["xx"]}}, True),
        ({"monitoring": {"drift": {"columns": ["xx"]}}}, True),
        ({"evaluation": {"slices": ["x"]}, "validation": {"min_rows": 1, "not_null": ["x"]}}, False),
        ({"scoring": {"columns": ["xx"], "source": "new.csv"}}, False),
    ],
)
def test_a_missing_column_named_in_any_part_fails_and_only_such_parts_change_the_digest(
    make_spec, make_dataset, part, digest_changes
):
    """Columns of the rows in `scoring.source` are no columns of the validated rows."""
    plain = make_spec().model_dump(mode="json") | ({"validation": part["validation"]} if "validation" in part else {})
    spec, without = (PipelineSpec.model_validate_json(json.dumps(plain | each)) for each in (part, {}))
    table = pa.table({**FOUR, "y": [0, 1, 0, 1]})
    failed = run_gate(make_dataset(table), spec, where="here").report.failed_rules

    assert ("columns_present" in failed) is digest_changes
    assert (spec.rules_digest != without.rules_digest) is digest_changes


@pytest.mark.parametrize(
    "naming",
    [
        {"sentinel": {"trusted": ["xx"]}},
        {"distributions": {"columns": ["xx"]}},
        {"freshness": {"column": "xx", "max_age_hours": 1}},
        {"matches": {"xx": "a"}},
        {"finite": ["xx"]},
    ],
)
def test_a_missing_column_of_a_rule_with_settings_fails(rule, naming):
    assert rule("columns_present", FOUR, **naming).failures[0].column == "xx"


def test_the_nearest_name_is_offered(rule):
    assert "did you mean 'price'?" in rule("columns_present", {"price": [1, 2]}, columns_present=["prise"]).observed


def test_a_missing_target_column_fails_every_rule_about_the_target(make_dataset, make_spec):
    report = run_gate(make_dataset(pa.table(FOUR)), make_spec(), where="here").report

    assert report.failed_rules == ("columns_present", "no_missing_target", "target_learnable")


def test_declared_and_derived_columns_are_required_and_ignored_ones_are_not():
    dataset = {
        "source": "a.csv",
        "target": "late",
        "columns": {"carrier": {"role": "categorical"}, "junk": {"role": "ignored"}},
        "derive": {"late": {"column": "delay", "greater_than": 15}},
    }
    document = {"name": "flights", "task": "binary_classification", "dataset": dataset}

    assert required_columns(PipelineSpec.model_validate_json(json.dumps(document))) == ("late", "carrier", "delay")


@pytest.mark.parametrize(
    ("limit", "passed"), [(0.25, True), (0.24, False), ({"x": 0.25}, True), ({"x": 0.2}, False), ({"y": 0}, True)]
)
@pytest.mark.parametrize("values", [[1.0, 2.0, None, 4.0], [1.0, 2.0, float("nan"), 4.0]])
def test_the_missing_share_may_reach_its_maximum_and_nan_is_missing(rule, values, limit, passed):
    result = rule("missing_share_below_maximum", {"x": values}, max_missing=limit)

    assert result.passed is passed
    if not passed:
        assert result.failures[0].count == 1
        assert result.failures[0].share == 0.25


def test_a_missing_share_of_a_missing_column_does_not_pass(rule):
    result = rule("missing_share_below_maximum", FOUR, max_missing={"nope": 1.0})

    assert "not checked: column missing" in result.observed
    assert not result.passed
