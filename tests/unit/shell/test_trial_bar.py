"""The progress of a search: a bar on a terminal, lines in a log."""

import io

import pytest
from terminals import Terminal, states_of

from assay.learning.tuning.trial_lines import TrialsSoFar
from assay.results.search_result import TrialRecord
from assay.shell.trial_bar import trial_progress

pytestmark = pytest.mark.usefixtures("coloured")


def shown(values, most=2, out=None, **options):
    """Return the lines that are logged, and each state of the terminal's line."""
    lines, out = [], out or Terminal()
    clock = iter(range(100))
    so_far = TrialsSoFar(most, greater_is_better=True, clock=lambda: next(clock))
    with trial_progress(so_far, lines.append, out, **options) as progress:
        for number, value in enumerate(values):
            progress(TrialRecord(number=number, state="complete", family="[red]ridge", parameters={}, value=value))
    return lines, states_of(out)


def test_trials_are_lines_in_a_log():
    lines, states = shown([0.5], out=io.StringIO())
    assert (len(lines), states) == (1, [""])


def test_no_bar_is_shown_where_nothing_is_searched():
    lines, states = shown([0.5], most=0)
    assert (len(lines), states) == (1, [""])


def test_the_bar_says_trials_best_value_and_time_left_and_disappears():
    lines, states = shown([0.123456, None, 0.1], most=4)
    bar = "━" * 20
    assert lines == []
    assert states == [
        "",
        f"{bar} 0/4 trials\r",
        f"{bar} 1/4 trials, best 0.12346 by [red]ridge, about 3 s left\r",
        f"{bar} 2/4 trials, best 0.12346 by [red]ridge, 1 without a value, about 2 s left\r",
        f"{bar} 3/4 trials, best 0.12346 by [red]ridge, 1 without a value, about 1 s left\r",
        "",
    ]


def test_the_bar_is_one_line_on_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert max(len(each.rstrip("\r")) for each in shown([0.123456, None], most=4)[1]) == 39


def test_lines_are_logged_beside_a_bar_where_asked_for():
    lines, states = shown([0.5, 0.6], always_log=True)
    assert [line.partition(":")[0] for line in lines] == ["trial 1 of at most 2", "trial 2 of at most 2"]
    assert any("2/2 trials" in each for each in states)
