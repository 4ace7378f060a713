from assay.gate.gate import CHECKS
from assay.specs.rules import RULES


def test_every_rule_has_a_function_and_a_sentence():
    assert set(CHECKS) == set(RULES)
    assert all(rule.text.endswith(".") for rule in RULES.values())
    assert all(name == rule.name for name, rule in RULES.items())


def test_what_training_relies_on_blocks_and_what_drifts_warns():
    assert all(rule.severity == "ERROR" for rule in RULES.values() if rule.required)
    assert RULES["distributions_as_reference"].severity == "WARN"


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
