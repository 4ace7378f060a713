"""Rules of the user's own."""

import sys
import types

import pytest


@pytest.fixture
def own_rules(monkeypatch):
    module = types.ModuleType("own_rules")
    monkeypatch.setitem(sys.modules, "own_rules", module)

    def x_below_y(rows):
        """The first never exceeds the second."""
        return rows["a"] <= rows["b"]

    module.x_below_y = x_below_y
    module.whole = lambda rows: len(rows) == 3
    module.short = lambda rows: [True]
    module.broken = lambda rows: rows["absent"]
    return module


def test_without_custom_rules_nothing_is_checked(rule):
    assert not rule("custom_rules_hold", {"a": [1]}).configured


def test_rows_that_break_a_rule_are_named(rule, own_rules):
    result = rule("custom_rules_hold", {"a": [1, 5, 2], "b": [2, 3, 2]}, custom={"ordered": "own_rules:x_below_y"})
    assert not result.passed
    assert result.failures[0].row_numbers == (1,)
    assert result.failures[0].expected == "The first never exceeds the second."
    assert rule("custom_rules_hold", {"a": [1], "b": [2]}, custom={"ordered": "own_rules:x_below_y"}).passed


def test_a_missing_answer_is_missing_column(rule, own_rules):
    assert rule("custom_rules_hold", {"a": [1, None], "b": [2, 1]}, custom={"ordered": "own_rules:x_below_y"}).passed


@pytest.mark.parametrize(("rows", "passed"), [(3, True), (2, False)])
def test_one_answer_for_the_whole_table(rule, own_rules, rows, passed):
    assert rule("custom_rules_hold", {"a": list(range(rows))}, custom={"whole": "own_rules:whole"}).passed is passed


@pytest.mark.parametrize(
    ("path", "reported"),
    [
        ("own_rules:short", "another number of rows"),
        ("own_rules:broken", "KeyError"),
        ("own_rules:nope", "has no 'nope'"),
    ],
)
def test_a_rule_that_cannot_answer_blocks_with_its_reason(rule, own_rules, path, reported):
    result = rule("custom_rules_hold", {"a": [1, 2]}, custom={"it": path})
    assert not result.passed
    assert reported in result.failures[0].found
