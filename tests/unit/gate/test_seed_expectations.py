"""Every expectation of the suites that this gate replaces has its rule."""

import pytest

# Great Expectations' name, our rule, its settings, rows that keep it, rows that break it
EXPECTATIONS = [
    ("expect_table_row_count_to_be_between", "row_count_in_range", {"min_rows": 2, "max_rows": 3}, [1, 2], [1]),
    ("expect_column_to_exist", "columns_present", {"columns_present": ["x"]}, [1, 2], None),
    ("expect_column_values_to_not_be_null", "columns_not_null", {"not_null": ["x"]}, [1, 2], [1, None]),
    ("expect_column_values_to_be_unique", "rows_unique_by_key", {"unique": [["x"]]}, [1, 2], [1, 1]),
    ("expect_column_values_to_be_between", "values_in_range", {"ranges": {"x": {"min": 0, "max": 2}}}, [0, 2], [3, 1]),
    (
        "expect_column_values_to_be_between(strict)",
        "values_in_range",
        {"ranges": {"x": {"min": 0, "max": 2, "strict": True}}},
        [1, 1],
        [0, 1],
    ),
    ("expect_column_values_to_be_in_set", "values_allowed", {"allowed": {"x": ["a", "b"]}}, ["a", "b"], ["a", "c"]),
    ("expect_column_values_to_be_of_type", "dtypes_as_declared", {"dtypes": {"x": "integer"}}, [1, 2], ["1", "2"]),
    (
        "expect_column_values_to_match_regex",
        "values_match_pattern",
        {"matches": {"x": "[a-z]+"}},
        ["a", "b"],
        ["a", "1"],
    ),
    (
        "expect_column_pair_values_a_to_be_greater_than_b",
        "expressions_hold",
        {"expressions": {"above": "x > y"}},
        [2, 3],
        [2, 1],
    ),
    (
        "expect_column_values_to_not_be_null(row_condition)",
        "conditions_hold",
        {"conditional": [{"when": "y = 1", "then": "x is not null"}]},
        [None, 1],
        [1, None],
    ),
    ("expect_compound_columns_to_be_unique", "rows_unique_by_key", {"unique": [["x", "z"]]}, [1, 2], [1, 1]),
]


@pytest.mark.parametrize(
    ("expectation", "name", "rules", "kept", "broken"), EXPECTATIONS, ids=lambda value: str(value)[:50]
)
def test_an_expectation_has_its_rule(rule, expectation, name, rules, kept, broken):
    columns = {"x": kept, "z": [0] * len(kept)}
    assert rule(name, columns, **rules).passed
    worse = {"z": [0, 0]} if broken is None else {"x": broken, "z": [0] * len(broken)}
    failed = rule(name, worse, **rules)
    assert not failed.passed
    assert failed.severity == "ERROR"


@pytest.mark.parametrize("target", [[0, None], None])
def test_the_target_is_required_and_not_null_unasked(gate, target):
    columns = {"x": [1, 2]} if target is None else {"x": [1, 2], "y": target}
    failed = gate(columns, target="y" if target else "absent").receipt.failed_rules
    assert "no_missing_target" in failed
    assert ("columns_present" in failed) == (target is None)
