from assay.validation.gate import JUDGES
from assay.validation.rules import RULE_NAMES, RULES


def test_the_names_are_the_published_check_names():
    assert RULE_NAMES == (
        "row_count_in_range",
        "columns_present",
        "dtypes_as_declared",
        "missing_share_below_maximum",
        "no_missing_target",
        "columns_not_null",
        "rows_unique_by_key",
        "values_in_range",
        "values_allowed",
        "custom_rules_hold",
        "target_learnable",
    )


def test_every_rule_has_a_judge_and_blocks():
    assert set(JUDGES) == set(RULE_NAMES)
    assert all(rule.blocking and rule.description.endswith(".") for rule in RULES.values())
    assert all(name == rule.name for name, rule in RULES.items())


def test_an_unconfigured_rule_passes_and_says_so(gate):
    results = {result.name: result for result in gate({"x": [1, 2, 3, 4]}).report.rules}

    unconfigured = {name for name, result in results.items() if not result.configured}

    assert unconfigured == {
        "dtypes_as_declared",
        "missing_share_below_maximum",
        "columns_not_null",
        "rows_unique_by_key",
        "values_in_range",
        "values_allowed",
        "custom_rules_hold",
    }
    assert all(results[name].passed and results[name].observed == "not configured" for name in unconfigured)
