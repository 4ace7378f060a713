import json
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.dataset import require_passed
from assay.data.fingerprint import fingerprint
from assay.gate.gate import run_gate
from assay.gate.outcome import CHECKS
from assay.gate.report import GateReport
from assay.specs.rules import RULES as GATE_RULES

RULE_NAMES = tuple(GATE_RULES)
SECRET = "maria.schmidt@example.org"


def test_rows_that_keep_every_rule_are_accepted_unchanged(make_dataset, make_spec):
    table = pa.table({"x": [1, 2, 3, 4], "y": [0, 1, 0, 1]})
    dataset, spec = make_dataset(table), make_spec(ranges={"x": {"min": 0}})

    verdict = run_gate(dataset, spec, where="here", partition="2013-01")

    assert verdict.accepted is not None
    assert verdict.accepted.table.equals(table)
    assert verdict.accepted.receipt == verdict.receipt
    assert (verdict.report.where, verdict.report.partition, verdict.report.pipeline) == ("here", "2013-01", "loans")
    require_passed(verdict.receipt, data_digest=fingerprint(table).digest, rules_digest=spec.rules_digest, where="here")


def test_refused_rows_are_not_handed_on_and_the_receipt_names_the_rules(gate):
    verdict = gate({"x": [1, -2, 3, 4]}, ranges={"x": {"min": 0}}, not_null=["nope"])

    assert verdict.accepted is None
    assert verdict.receipt.verdict == "failed"
    assert verdict.receipt.failed_rules == ("columns_present", "columns_not_null", "values_in_range")
    assert verdict.report.failed_rules == verdict.receipt.failed_rules


def test_all_rules_are_always_reported_in_order(gate):
    assert tuple(result.name for result in gate({"x": [1, 2]}).report.rules) == RULE_NAMES


@pytest.mark.parametrize(
    ("drop", "kept"), [(False, 5), (True, 2), (("a",), 4), (("b",), 4), (("a", "b"), 3), (("a", "nope"), 4), ((), 5)]
)
def test_rows_with_missing_values_are_dropped_and_counted_before_the_rules(gate, drop, kept):
    columns = {"a": [1.0, float("nan"), 3.0, 4.0, 5.0], "b": ["x", "x", None, "x", "x"], "c": [1, 1, 1, 1, None]}

    report = gate(columns | {"y": [0, 1, 0, 0, 1]}, drop_null_rows=drop).report

    assert (report.rows_read, report.rows_dropped, report.rows_judged) == (5, 5 - kept, kept)


def test_row_numbers_count_the_rows_that_are_left(rule):
    columns = {"x": [None, 1, -1, 2]}

    assert rule("values_in_range", columns, drop_null_rows=True, ranges={"x": {"min": 0}}).failures[0].row_numbers == (
        1,
    )


def test_the_receipt_vouches_for_exactly_the_rows_that_are_left(gate):
    verdict = gate({"x": [1, None, 3, 4, 5], "y": [0, 1, 1, 0, 1]}, drop_null_rows=True)

    assert verdict.accepted is not None
    assert verdict.accepted.table.num_rows == verdict.receipt.rows == 4
    assert verdict.receipt.data_digest == fingerprint(verdict.accepted.table).digest
    assert verdict.accepted.fingerprint.digest == verdict.receipt.data_digest


def test_the_receipt_of_a_stale_fingerprint_is_computed_from_the_rows(make_dataset, make_spec):
    rows = make_dataset(pa.table({"x": [1, 2, 3, 4], "y": [0, 1, 0, 1]}))
    stale = make_dataset(pa.table({"x": [9, 9, 9, 9], "y": [0, 1, 0, 1]}))
    mixed = type(rows)(rows.table, rows.schema, stale.fingerprint)

    assert run_gate(mixed, make_spec(), where="here").receipt.data_digest == rows.fingerprint.digest


def test_the_receipt_names_the_rules_it_was_checked_by(make_dataset, make_spec):
    dataset = make_dataset(pa.table({"y": [0, 1, 0, 1]}))
    strict, lax = make_spec(min_rows=4), make_spec(min_rows=2)

    assert run_gate(dataset, strict, where="").receipt.rules_digest == strict.rules_digest != lax.rules_digest


@pytest.mark.parametrize("names", [("x", "y"), ("y",)])
def test_an_empty_table_is_refused_without_a_crash(gate, names):
    table = pa.table({name: pa.array([], pa.string()) for name in names})

    verdict = gate(table, max_missing=0.1, unique=[["y"]], not_null=["y"], allowed={"y": ["a"]}, drop_null_rows=True)

    assert verdict.accepted is None
    assert verdict.receipt.failed_rules == ("row_count_in_range", "target_learnable")


def test_a_target_that_is_always_missing_is_refused(gate):
    failed = gate({"x": [1, 2, 3], "y": pa.nulls(3, pa.string())}).receipt.failed_rules

    assert failed == ("no_missing_target", "target_learnable")


@pytest.mark.parametrize("name", RULE_NAMES)
def test_a_rule_that_raises_fails_with_the_exception_and_the_others_go_on(gate, monkeypatch, name):
    def explode(*_):
        raise ZeroDivisionError("by nought")

    monkeypatch.setitem(CHECKS, name, explode)
    monkeypatch.setitem(GATE_RULES, name, replace(GATE_RULES[name], configured=lambda _: True))

    verdict = gate({"x": [1, 2, 3, 4]}, block=[name])

    assert verdict.accepted is None
    assert verdict.receipt.failed_rules == (name,)
    assert "ZeroDivisionError: by nought" in verdict.report.rules[RULE_NAMES.index(name)].observed


def test_the_text_of_an_exception_is_withheld_beside_pii(gate, monkeypatch):
    def explode(*_):
        raise ValueError(f"could not convert {SECRET}")

    monkeypatch.setitem(CHECKS, "values_in_range", explode)

    report = gate({"mail": [SECRET, "b"]}, pii=("mail",), ranges={"x": {"min": 0}}).report

    assert SECRET not in report.model_dump_json()
    assert "ValueError" in report.rules[RULE_NAMES.index("values_in_range")].observed


@pytest.mark.parametrize(
    "rules",
    [
        {"allowed": {"mail": ["a"]}},
        {"allowed": {"mail": ["a", SECRET], "y": ["0"]}},
        {"allowed": {"mail": [7]}},
        {"unique": [["mail"], ["mail", "x"]]},
        {"ranges": {"mail": {"min": 0}}},
        {"dtypes": {"mail": "integer"}},
        {"not_null": ["mail"], "max_missing": 0.0},
    ],
)
def test_values_of_pii_columns_appear_nowhere_in_the_report(gate, rules):
    report = gate({"mail": [SECRET, SECRET, None, "b"], "x": [1, 1, 2, 3]}, pii=("mail",), **rules).report

    assert not report.passed
    assert SECRET not in report.model_dump_json()


def test_the_same_values_are_shown_when_the_column_is_not_pii(gate):
    assert SECRET in gate({"mail": [SECRET, "b"]}, allowed={"mail": ["b"]}).report.model_dump_json()


def test_numbers_and_classes_of_pii_columns_are_masked_too(gate):
    report = gate({"wage": [43217.5, 1.0, 1.0, 1.0], "y": ["ill", "well", "ill", "well"]}, pii=("wage", "y")).report

    text = report.model_dump_json()

    assert report.passed
    assert not any(secret in text for secret in ("43217", "10805", "'ill'", "'well'"))
    assert report.profile[0].masked
    assert report.profile[0].minimum is None


def test_the_report_survives_json(gate):
    report = gate({"x": [1.5, None, float("inf"), -1.0], "s": ["a|b", None, "ü", ""]}, ranges={"x": {"min": 0}}).report

    text = report.model_dump_json()

    assert GateReport.model_validate_json(text) == report
    assert json.loads(text)["report_version"] == 1


def test_judging_twice_gives_the_same_report(gate):
    columns = {"x": [3, 1, 1, -2], "s": ["b", "a", "b", "c"]}
    rules = {"ranges": {"x": {"min": 0}}, "allowed": {"s": ["a"]}, "unique": [["x"]]}

    assert gate(columns, **rules).report.model_dump_json() == gate(columns, **rules).report.model_dump_json()


RULES = {
    "unique": [["id"]],
    "ranges": {"amount": {"min": 0, "max": 10, "strict": True}},
    "allowed": {"kind": ["a", "b"]},
    "not_null": ["kind"],
    "max_missing": {"amount": 0.0},
}
VIOLATIONS = [
    {"id": 0},
    {"amount": 0.0},
    {"amount": 10.0},
    {"amount": float("inf")},
    {"amount": float("nan")},
    {"amount": None},
    {"kind": "c"},
    {"kind": None},
    {"y": None},
    {"y": "maybe"},
]


@given(
    rows=st.lists(
        st.tuples(st.floats(0, 10, exclude_min=True, exclude_max=True), st.sampled_from("ab")), min_size=4, max_size=30
    ),
    violation=st.sampled_from(VIOLATIONS),
    data=st.data(),
)
def test_one_violating_row_among_good_ones_is_never_let_through(gate, rows, violation, data):
    good = [
        {"id": number, "amount": amount, "kind": kind, "y": "yes" if number % 2 else "no"}
        for number, (amount, kind) in enumerate(rows)
    ]
    bad = {"id": len(rows), "amount": 1.0, "kind": "a", "y": "no"} | violation
    place = data.draw(st.integers(0, len(good)))

    assert gate(pa.Table.from_pylist(good), **RULES).accepted is not None
    assert gate(pa.Table.from_pylist([*good[:place], bad, *good[place:]]), **RULES).accepted is None


@given(
    numbers=st.lists(st.none() | st.integers(-(2**60), 2**60), min_size=1, max_size=20),
    drop=st.booleans(),
)
def test_whatever_is_accepted_has_the_digest_of_its_receipt(gate, numbers, drop):
    verdict = gate({"x": pa.array(numbers, pa.int64())}, drop_null_rows=drop)

    if verdict.accepted is not None:
        assert fingerprint(verdict.accepted.table).digest == verdict.receipt.data_digest
    assert (verdict.accepted is not None) == (verdict.receipt.verdict == "passed")
    assert verdict.receipt.rows == verdict.report.rows_judged == len(numbers) - verdict.report.rows_dropped


def test_no_value_of_any_column_is_quoted_where_the_pipeline_hides_them(gate):
    rules = {
        "unique": [["mail", "x"]],
        "allowed": {"mail": ["a"]},
        "matches": {"mail": "a"},
        "ranges": {"x": {"min": 0, "max": 1}},
        "expressions": {"e": "x < 0", "odd": "mail::int > 0"},
        "conditional": [{"when": "x > 0", "then": "mail = 'a'"}],
        "custom": {"odd": "builtins:float"},
    }
    columns = {"mail": [SECRET, SECRET, "b", "b"], "x": [98765, 98765, 43210, 43210]}

    hidden, shown = (gate(columns, show_values=show, **rules).report.rules for show in (False, True))

    text = " ".join(result.model_dump_json() for result in hidden)
    assert not any(value in text for value in (SECRET, "98765", "43210"))
    assert all(value in " ".join(result.model_dump_json() for result in shown) for value in (SECRET, "98765"))
    assert [result.failing_rows for result in hidden] == [result.failing_rows for result in shown]
