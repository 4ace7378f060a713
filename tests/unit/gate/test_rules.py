from typing import get_args

from assay.gate.gate import JUDGES
from assay.gate.rules import RULE_NAMES, RULES
from assay.specs.validation import ALWAYS_BLOCKING, RuleName


def test_the_names_that_a_pipeline_may_list_are_the_rules():
    assert set(RULE_NAMES) == set(get_args(RuleName))


def test_every_rule_has_a_judge_and_a_sentence():
    assert set(JUDGES) == set(RULE_NAMES)
    assert all(rule.description.endswith(".") for rule in RULES.values())
    assert all(name == rule.name for name, rule in RULES.items())


def test_what_training_relies_on_blocks_and_what_drifts_warns():
    assert all(RULES[name].blocking for name in ALWAYS_BLOCKING)
    assert not RULES["distributions_as_reference"].blocking


def test_an_unconfigured_rule_passes_and_says_so(gate):
    results = {result.name: result for result in gate({"x": [1, 2, 3, 4]}).report.rules}

    unconfigured = {name for name, result in results.items() if not result.configured}

    assert unconfigured >= {
        "dtypes_as_declared",
        "missing_share_below_maximum",
        "columns_not_null",
        "rows_unique_by_key",
        "values_in_range",
        "values_allowed",
        "custom_rules_hold",
        "values_match_pattern",
        "values_finite",
        "expressions_hold",
        "conditions_hold",
        "data_is_fresh",
        "distributions_as_reference",
        "pandera_schema_holds",
    }
    assert all(results[name].passed and results[name].observed == "not configured" for name in unconfigured)
