from assay.gate.report import FailureRow, RuleResult, rule_sentence


def rule(*failures):
    return RuleResult(
        name="values_in_range", passed=not failures, configured=True, severity="ERROR", observed="all values inside",
        expected="items at least 1 and at most 500", failures=failures,
    )  # fmt: skip


def test_a_rule_that_holds_names_its_bounds():
    assert rule_sentence(rule(), 300) == "all values inside; expected items at least 1 and at most 500"


def test_a_rule_that_fails_counts_the_rows_of_all():
    bounds = "at least 1 and at most 500"
    broken = FailureRow(column="items", expected=bounds, found="values outside", count=2, row_numbers=(4, 9))
    assert rule_sentence(rule(broken), 300) == (
        "expected items at least 1 and at most 500, found values outside: 2 of 300 rows break it"
    )


def test_what_concerns_no_single_rows_counts_none_and_much_is_cut():
    missing = FailureRow(column="items", expected="a number", found="not checked: column missing")
    assert rule_sentence(rule(missing), 300) == "expected items a number, found not checked: column missing"
    assert rule_sentence(rule(*[missing] * 7), 300).endswith("; and 2 more")
