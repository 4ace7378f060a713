import datetime as dt
from types import SimpleNamespace as Thing

import pyarrow as pa
import pytest

from assay.data.schema import infer_schema
from assay.gate import custom_rules, expression_rules
from assay.gate.checked_table import CheckedTable
from assay.gate.distribution_rules import _mismatch
from assay.gate.outcome import broken
from assay.gate.profile_page.columns import _with_numbers, column_view
from assay.gate.raw_rules import passed
from assay.gate.report import ColumnProfile, FailureRow, RuleResult, failure_table, rule_sentence, warning_text
from assay.gate.table_rules import data_is_fresh
from assay.specs.dataset import DatasetSpec


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


def test_a_warning_names_its_bound_and_its_rows_unless_all_columns_share_it():
    outside = FailureRow(column="items", expected="at most 500", found="values outside", count=2, row_numbers=(4, 9))
    assert warning_text(outside, result_of(outside), 300) == "values outside in 2 of 300 rows; expected at most 500"
    blanks = FailureRow(column="items", expected=result_of().expected, found="2 texts have blanks around them")
    assert warning_text(blanks, result_of(blanks), 300) == "2 texts have blanks around them"
    few = FailureRow(column="", expected=result_of().expected, found="4 rows")
    assert warning_text(few, result_of(few), 4) == "4 rows; expected items at least 1 and at most 500"


ONE = {"a": [1, 2, 3, 4]}


def test_the_receipt_has_what_a_rule_that_warns_says(gate):
    receipt = gate(ONE, ranges={"a": {"max": 3}}, warn=["values_in_range"]).receipt
    found = {each.rule: each.found for each in receipt.warnings}
    assert found["values_in_range"].endswith(" in 1 of 4 rows; expected at most 3")


@pytest.mark.parametrize(
    ("name", "columns", "rules", "said"),
    [
        ("row_count_in_range", ONE, {"min_rows": 1}, "4 rows; expected at least 1 row"),
        ("row_count_in_range", ONE, {"min_rows": 2, "max_rows": 1000}, "4 rows; expected at least 2 rows and at most 1,000"),
        ("row_count_in_range", ONE, {"min_rows": 5}, "4 rows; expected at least 5 rows"),
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


def test_personal_values_that_are_allowed_are_counted(gate):
    rules = gate({"a": ["x", "x", "z", "x"]}, pii=("a",), allowed={"a": ["x", "z"]}).report.rules
    assert next(each for each in rules if each.name == "values_allowed").expected == "a one of 2 allowed values"


@pytest.mark.parametrize(("most", "said"), [(0.1, "distance at most 0.1, or"), (0.25, "distance at most 0.25, or")])
def test_the_bound_of_a_distance(rule, most, said):
    found = rule("distributions_as_reference", ONE, distributions={"max_effect": most, "false_discovery_rate": 0.01})
    assert found.expected == f"{said} not significant at a false discovery rate of 0.01"


def test_columns_that_cannot_be_compared():
    now, before = (Thing(kind=lambda _, k=kind: k, dtype=lambda _, k=kind: k) for kind in ("string", "integer"))
    assert _mismatch(now, before, "a") == "string cannot be compared with integer of the reference"
    assert _mismatch(now, now, "a") == ""


def test_an_evaluation_that_stops(monkeypatch):
    one, end = Thing(text="a < 3"), Thing(answer={"crash": "SIGSEGV"}, code=-11)
    found = []
    for exceeded in (None, Thing(resource="memory", limit="512 MB")):
        monkeypatch.setattr(expression_rules, "exceeded_limit", lambda *_, it=exceeded: it)
        found.append(expression_rules._stopped(one, end, None).row.found)
    assert found == [
        "not checked: the evaluation failed with SIGSEGV",
        "not checked: the evaluation takes more memory than it may (512 MB)",
    ]


@pytest.mark.parametrize(
    ("pii", "said"),
    [
        (False, "not checked: the check broke with ValueError: no 17"),
        (
            True,
            "not checked: the check broke with ValueError (text withheld: it may quote values that must not be shown)",
        ),
    ],
)
def test_a_check_that_breaks_quotes_no_personal_value(pii, said):
    assert broken(Thing(holds_pii=pii), "a", "ValueError", "no 17", expected="").row.found == said


def test_values_that_are_not_drawn():
    profile = ColumnProfile.model_construct(name="a", dtype="list<int64>", role=None, masked=False)
    table = CheckedTable(
        pa.table({"a": [[1], [2]]}), infer_schema(pa.table({"a": [[1], [2]]}), DatasetSpec(source="x", target="a"))
    )
    monkey = column_view.__globals__["_notes"]
    column_view.__globals__["_notes"] = lambda *_: ()
    try:
        view = column_view(0, profile, Thing(reason="", pii=False), table, 2)
    finally:
        column_view.__globals__["_notes"] = monkey
    assert view.notes == ("no drawing for values of type list<int64>",)
    numbers = _with_numbers(view, pa.chunked_array([[1.0, float("inf"), float("-inf")]]), whole=False)
    assert numbers.notes[-1] == "2 infinite values, not drawn"
    assert (
        _with_numbers(view, pa.chunked_array([[1.0, float("inf")]]), whole=False).notes[-1]
        == "1 infinite value, not drawn"
    )


@pytest.mark.parametrize("digest", ["a" * 64, "b" * 64])
def test_rows_that_passed_name_the_digest_of_their_rules(make_dataset, digest):
    rows = passed(make_dataset(pa.table(ONE)), Thing(receipt=Thing(rules_digest=digest)))
    (note,) = rows.notes.values()
    assert note == f"passed, digest {digest[: len(note) - len('passed, digest ')]}"


@pytest.mark.parametrize(
    ("failures", "said"), [(51, "1 more is in the JSON report."), (53, "3 more are in the JSON report.")]
)
def test_failures_beyond_the_table_are_counted(failures, said):
    row = FailureRow(column="items", expected="a number", found="text")
    assert failure_table(result_of(*[row] * failures)).endswith(said)
    assert "JSON report" not in failure_table(result_of(row))


def test_a_class_with_one_member(rule):
    found = rule("target_learnable", {"y": ["a", "a", "b"]})
    assert "y: classes with fewer than 2 members: 1 of 3 rows break it; expected " in rule_sentence(found, 3)
