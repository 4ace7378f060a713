"""Which trials of a search have a line in a log, and what it says."""

import pytest

from assay.learning.tuning.trial_lines import TrialLines, TrialsSoFar
from assay.results.search_result import TrialRecord


def _trial(number, value, family="ridge", **more):
    state = "failed" if value is None else "complete"
    return TrialRecord(number=number, state=state, family=family, parameters={}, value=value, seconds=1.25, **more)


def _lines(values, *, greater_is_better=True, seconds=1.0):
    found, clock = [], iter(number * seconds for number in range(len(values) + 1))
    so_far = TrialsSoFar(len(values), greater_is_better=greater_is_better, clock=lambda: next(clock))
    lines = TrialLines(found.append, so_far)
    for number, value in enumerate(values):
        lines(_trial(number, value, reason="" if value is not None else "it diverged"))
    return found


def test_a_fast_search_has_its_first_and_last_line_and_one_for_ten_seconds():
    numbers = [line.partition(" of at most 25:")[0] for line in _lines([0.1] * 25)]
    assert numbers == ["trial 1", "trial 11", "trial 21", "trial 25"]


def test_a_slow_search_has_a_line_for_each_trial():
    assert len(_lines([0.1, 0.2, 0.3], seconds=11)) == 3


@pytest.mark.parametrize(("greater", "best"), [(True, "0.9"), (False, "0.2")])
def test_a_line_says_what_the_trial_gave_and_the_best_so_far(greater, best):
    last = _lines([0.9, 0.2, 0.5], greater_is_better=greater)[-1]
    assert last == f"trial 3 of at most 3: ridge 0.5, 1.2 s; best so far {best} by ridge"


def test_the_best_so_far_is_of_its_own_family():
    found = []
    lines = TrialLines(found.append, TrialsSoFar(2, greater_is_better=True, clock=lambda: 0.0))
    lines(_trial(0, 0.9, "lightgbm"))
    lines(_trial(1, 0.5, "ridge"))
    assert found[-1] == "trial 2 of at most 2: ridge 0.5, 1.2 s; best so far 0.9 by lightgbm"


def test_a_failed_trial_says_why_and_is_no_best():
    assert _lines([None]) == ["trial 1 of at most 1: ridge failed: it diverged, 1.2 s"]


@pytest.mark.parametrize(
    ("ended", "seconds", "timeout", "text"),
    [
        (0, 1.0, None, ""),
        (1, 5.0, None, "about 15 s left"),
        (2, 5.0, None, "about 10 s left"),
        (1, 60.0, None, "about 3 min left"),
        (1, 60.0, 90.0, "about 30 s left"),
        (2, 60.0, 90.0, "about 0 s left"),
        (4, 5.0, None, ""),
    ],
)
def test_what_is_left_follows_the_trials_that_ended_and_the_timeout(ended, seconds, timeout, text):
    clock = iter(number * seconds for number in range(5))
    so_far = TrialsSoFar(4, greater_is_better=True, timeout=timeout, clock=lambda: next(clock))
    for number in range(ended):
        so_far.note(_trial(number, 0.5))
    assert so_far.left_text() == text


def test_a_line_between_the_first_and_the_last_says_what_is_left():
    assert _lines([0.1, 0.2, 0.3], seconds=11)[0].endswith("; best so far 0.1 by ridge; about 22 s left")
