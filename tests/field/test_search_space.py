"""Reports: a written search space did not bind, and settings of time were believed until a run failed."""

import pytest

from assay.errors import SpecError
from assay.specs.loading import parse_pipeline

PIPELINE = """name: bank
task: binary_classification
dataset:
  source: data/bank.csv
  target: y
"""
PARTITIONS = "  partitions:\n    by: {by}\n    start: '{start}'\n"
MAX_DEPTH = "tuning:\n  search_space:\n    max_depth: {type: int, low: 1, high: 2}\n"
FOREST = "model:\n  candidates: [random_forest, lightgbm]\n  hyperparameters:\n"


def refusal(text):
    with pytest.raises(SpecError) as caught:
        parse_pipeline(PIPELINE + text, where="bank.yaml")
    return caught.value


@pytest.mark.parametrize(
    ("base", "where"),
    [
        ("    max_depth: 9\n", "bank.yaml:9 (model.hyperparameters.max_depth)"),
        ("    random_forest:\n      max_depth: 9\n", "bank.yaml:10 (model.hyperparameters.random_forest.max_depth)"),
        ("    max_depth: null\n", "bank.yaml:9 (model.hyperparameters.max_depth)"),
    ],
)
def test_a_written_base_value_outside_the_search_space_is_refused_with_its_line(base, where):
    error = refusal(FOREST + base + MAX_DEPTH)
    assert error.where == where
    assert "a whole number from 1 to 2, as tuning.search_space has it" in error.expected


@pytest.mark.parametrize(
    "rest",
    [
        "    max_depth: 2\n" + MAX_DEPTH,
        "    max_depth: 9\n" + MAX_DEPTH + "  enabled: false\n",
        "    lightgbm:\n      max_depth: 9\n" + MAX_DEPTH.replace("max_depth", "random_forest.max_depth"),
        "    xgboost:\n      max_depth: 9\n" + MAX_DEPTH,
    ],
)
def test_a_base_value_that_the_search_space_holds_or_does_not_concern_is_accepted(rest):
    parse_pipeline(PIPELINE + FOREST + rest, where="bank.yaml")


def test_a_step_beyond_the_range_is_refused_with_its_line():
    error = refusal("tuning:\n  search_space:\n    C: {type: float, low: 0, high: 1, step: 2}\n")
    assert error.where == "bank.yaml:8 (tuning.search_space.C)"
    assert error.expected == "step 2 is larger than the range from 0 to 1"


def test_a_cron_line_of_no_such_hour_is_refused_with_its_line():
    error = refusal("automation:\n  schedule: 0 25 * * *\n")
    assert error.where == "bank.yaml:7 (automation.schedule)"
    assert "hour is between 0 and 23" in error.expected


@pytest.mark.parametrize(
    ("by", "start", "end", "line", "expected"),
    [
        ("week", "2024-01-03", "", 8, "weeks start on Sunday: a key such as 2023-12-31"),
        ("week", "2024-01-07", "2024-02-01", 9, "weeks start on Sunday: a key such as 2024-01-28"),
        ("month", "2024-01", "2023-01", 9, "a key after start, 2024-01"),
        ("month", "2024-01", "2024-01", 9, "a key after start, 2024-01"),
        ("month", "2024-1", "", 8, "a key such as 2024-01"),
        ("month", "2024-01-01", "", 8, "a key such as 2013-01"),
        ("day", "2024-02-30", "", 8, "a key such as 2013-01-06"),
    ],
)
def test_a_key_at_which_no_partition_starts_is_refused_with_its_line(by, start, end, line, expected):
    text = PARTITIONS.format(by=by, start=start) + (f"    end: '{end}'\n" if end else "")
    error = refusal(text)
    assert error.where == f"bank.yaml:{line} (dataset.partitions.{'end' if line == 9 else 'start'})"
    assert error.expected == expected
