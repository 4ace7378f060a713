import datetime as dt

import pyarrow as pa
import pytest

from assay.gate import custom_rules
from assay.gate.checked_table import CheckedTable
from assay.gate.report import FailureRow, RuleResult, rule_sentence
from assay.gate.table_rules import data_is_fresh


def result_of(*failures):
    return RuleResult(
        name="values_in_range", passed=not failures, configured=True, severity="ERROR", observed="all values inside",
        expected="items at least 1 and at most 500", failures=failures,
    )  # fmt: skip


def test_a_rule_that_holds_names_its_bounds():
    assert rule_sentence(result_of(), 300) == "all values inside; expected items at least 1 and at most 500"


def test_a_rule_that_fails_counts_the_rows_of_all():
    bounds = "at least 1 and at most 500"
    broken = FailureRow(column="items", expected=bounds, found="values outside", count=2, row_numbers=(4, 9))
    assert rule_sentence(result_of(broken), 300) == (
        "expected items at least 1 and at most 500, found values outside: 2 of 300 rows break it"
    )


def test_what_concerns_no_single_rows_counts_none_and_much_is_cut():
    missing = FailureRow(column="items", expected="a number", found="not checked: column missing")
    assert rule_sentence(result_of(missing), 300) == "expected items a number, found not checked: column missing"
    assert rule_sentence(result_of(*[missing] * 7), 300).endswith("; and 2 more")


ONE = {"a": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("name", "columns", "rules", "said"),
    [
        ("row_count_in_range", ONE, {"min_rows": 1}, "4 rows; expected at least 1 row"),
        ("row_count_in_range", ONE, {"min_rows": 2, "max_rows": 1000}, "4 rows; expected at least 2 rows and at most 1,000"),
        ("row_count_in_range", ONE, {"min_rows": 5}, "expected at least 5 rows, found 4 rows"),
        ("dtypes_as_declared", ONE, {"dtypes": {"a": "integer"}}, "all types as declared; expected declared types of a"),
        ("columns_present", ONE, {"not_null": ["a"]}, "all 2 exist; expected columns y, a"),
        ("columns_not_null", ONE, {"not_null": ["a"]}, "no missing value; expected no missing value in a"),
        ("columns_not_null", {"a": [1, 2, 3, None]}, {"not_null": ["a"]}, "found missing values: 1 of 4 rows break it"),
        ("no_missing_target", ONE, {}, "no missing value; expected no missing value in y"),
        ("missing_share_below_maximum", ONE, {"max_missing": 0.25}, "expected at most 25.00% in every column"),
        ("missing_share_below_maximum", ONE, {"max_missing": {"a": 0.1}}, "expected at most the share set by column"),
        (
            "missing_share_below_maximum", {"a": [1, None, None, 4]}, {"max_missing": 0.125},
            "expected a at most 12.50% missing, found 50.00% missing",
        ),
        ("values_allowed", {"a": ["x", "x", "z", "x"]}, {"allowed": {"a": ["x", "z"]}}, "expected a one of 'x', 'z'"),
        (
            "values_allowed", ONE, {"allowed": {"a": ["x"]}},
            "the column is int64, which never equals 'x' of the pipeline file: write values of its type",
        ),
        ("rows_unique_by_key", ONE, {"unique": [["a"], ["a", "y"]]}, "every key occurs once; expected unique: a; a, y"),
        ("rows_unique_by_key", ONE, {"unique": [["a", "b"]]}, "expected b part of the key (a, b), found"),
        ("values_finite", {"a": [0.5, 1, 2, 3]}, {"finite": True}, "all numbers finite; expected finite numbers in 1 column"),
        ("values_finite", ONE, {"finite": True}, "expected finite numbers in 0 columns"),
        ("expressions_hold", ONE, {"expressions": {"small": "a < 9", "big": "a > 0"}}, "2 hold in every row"),
        ("expressions_hold", ONE, {"expressions": {"small": "a < 3"}}, "small does not hold: 2 of 4 rows break it"),
        ("values_match_pattern", {"a": list("xxxz")}, {"matches": {"a": "x+"}}, "expected a matches x+, found other values"),
    ],
)  # fmt: skip
def test_what_a_rule_says_names_its_bound_and_what_it_found(rule, name, columns, rules, said):
    assert said in rule_sentence(rule(name, columns, **rules), 4)


@pytest.mark.parametrize(
    ("day", "hours", "said"),
    [
        (
            1,
            48,
            "newest 2024-05-01 00:00 UTC, 36.0 hours old; expected newest at most 48 hours before 2024-05-02 12:00 UTC",
        ),
        (1, 24, "found newest 2024-05-01 00:00 UTC, 36.0 hours old"),
        (2, 24, "newest 2024-05-02 00:00 UTC, 12.0 hours old"),
    ],
)
def test_the_age_of_the_newest_row(make_dataset, make_spec, day, hours, said):
    moments = pa.array([dt.datetime(2024, 5, day)] * 2, pa.timestamp("us"))  # noqa: DTZ001
    table = CheckedTable(pa.table({"t": moments}), make_dataset(pa.table({"t": moments})).schema)
    table.as_of = dt.datetime(2024, 5, 2, 12, tzinfo=dt.UTC)
    found = data_is_fresh(table, make_spec(freshness={"column": "t", "max_age_hours": hours}))
    texts = [found.observed + "; expected " + found.expected, *(f"found {each.found}" for each in found.failures)]
    assert any(said in text for text in texts)


@pytest.mark.parametrize(
    ("custom", "said"),
    [
        (["all"], "1 rule holds; expected rule_0"),
        (["all", "all"], "2 rules hold; expected rule_0, rule_1"),
        (["any"], "expected Return True if bool(x) is True for any x in the iterable., found rule_0 does not hold"),
    ],
)
def test_rules_of_ones_own(rule, custom, said, monkeypatch):
    answers = {"builtins:all": lambda _: True, "builtins:any": any_of}
    monkeypatch.setattr(custom_rules, "import_users_object", lambda path, **_: answers[path])
    rules = {f"rule_{n}": f"builtins:{name}" for n, name in enumerate(custom)}
    assert said in rule_sentence(rule("custom_rules_hold", ONE, custom=rules), 4)


def any_of(_):
    """Return True if bool(x) is True for any x in the iterable."""
    return False
