"""Failed runs of arrivals: tried again, given up, or judged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.arrivals.failures import (
    LATE_SECONDS,
    FailedRun,
    FailureKind,
    after_failures,
    due_attempts,
    kind_of,
    redriven,
)
from assay.arrivals.names import RunKey, parse_run_key
from assay.arrivals.state import FailuresSeen


def failed(number, key="in/a.csv@1", kind=FailureKind.PASSING, moment=1000.0):
    return FailedRun(f"run-{number}", key, moment, "in/a.csv", "1", "a.csv", kind, "why")


@pytest.mark.parametrize(
    ("types", "kind"),
    [
        ([], FailureKind.PASSING),
        (["ChildProcessCrashException"], FailureKind.PASSING),
        (["DagsterExecutionStepExecutionError", "StoreUnavailableError"], FailureKind.PASSING),
        (["DagsterExecutionStepExecutionError", "SourceUnreachableError", "OSError"], FailureKind.PASSING),
        (["DagsterExecutionStepExecutionError", "MalformedDataError"], FailureKind.LASTING),
        (["DagsterExecutionStepExecutionError", "SpecError", "ValidationError"], FailureKind.LASTING),
        (["DagsterAssetCheckFailedError"], FailureKind.VERDICT),
        (["DagsterExecutionStepExecutionError", "GateRejectedError"], FailureKind.VERDICT),
    ],
)
def test_a_failure_is_of_the_kind_of_its_errors(types, kind):
    assert kind_of(types) is kind


@given(st.text(), st.integers(0, 99), st.integers(0, 99))
def test_a_run_key_tells_its_arrival_and_attempt(arrival, redrive, retry):
    key = RunKey(arrival + "@1", redrive, retry)
    assert parse_run_key(str(key)) == key


def test_a_failure_that_passes_is_retried_after_two_looks_then_four():
    seen, letters = after_failures(FailuresSeen(), [failed(1)], max_retries=2, looks=10)
    assert not letters
    assert [(each.run_key, each.due) for each in seen.waiting] == [("in/a.csv@1#retry-1", 12)]
    again, _ = after_failures(FailuresSeen(), [failed(2, "in/a.csv@1#retry-1")], max_retries=2, looks=20)
    assert [(each.run_key, each.due) for each in again.waiting] == [("in/a.csv@1#retry-2", 24)]


def test_a_failure_is_given_up_after_its_retries():
    seen, [letter] = after_failures(FailuresSeen(), [failed(1, "in/a.csv@1#retry-2")], max_retries=2, looks=1)
    assert not seen.waiting
    assert (letter.uri, letter.attempts, letter.run_key) == ("in/a.csv", 3, "in/a.csv@1#retry-2")


def test_a_failure_that_lasts_is_given_up_at_once_and_a_verdict_is_neither_tried_again_nor_given_up():
    runs = [failed(1, kind=FailureKind.LASTING), failed(2, kind=FailureKind.VERDICT)]
    seen, letters = after_failures(FailuresSeen(), runs, max_retries=2, looks=1)
    assert not seen.waiting
    assert [letter.run_id for letter in letters] == ["run-1"]


def test_what_is_started_over_has_its_retries_again_and_a_key_of_its_own():
    _, [letter] = after_failures(FailuresSeen(), [failed(1, "in/a.csv@1#retry-2")], max_retries=2, looks=1)
    assert redriven(letter).run_key == "in/a.csv@1#redrive-1"
    _, [letter] = after_failures(FailuresSeen(), [failed(1, "in/a.csv@1#redrive-1#retry-2")], max_retries=2, looks=1)
    assert redriven(letter).run_key == "in/a.csv@1#redrive-2"


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, LATE_SECONDS)), max_size=20), st.integers(1, 5))
def test_each_failure_counts_once_however_late_and_often_its_record_is_read(records, batch):
    runs = [failed(number, f"in/{number}.csv@1", moment=1000 + moment) for number, moment in dict(records).items()]
    seen = FailuresSeen()
    for first in range(0, len(runs), batch):
        seen, _ = after_failures(seen, runs[: first + batch], max_retries=1, looks=0)
    assert sorted(each.run_key for each in seen.waiting) == sorted(f"{run.run_key}#retry-1" for run in runs)


def test_what_is_remembered_of_failures_is_bounded():
    seen = FailuresSeen()
    for number in range(50):
        runs = [failed(f"{number}-{n}", kind=FailureKind.VERDICT, moment=1000.0 * number) for n in range(10)]
        seen, _ = after_failures(seen, runs, max_retries=1, looks=0)
    assert len(seen.handled) == 10


def test_an_object_that_was_rewritten_or_deleted_is_not_tried_again():
    seen, _ = after_failures(FailuresSeen(), [failed(1)], max_retries=2, looks=0)
    assert due_attempts(seen, looks=1, at_most=9, current={"in/a.csv": "1"}) == (seen, [])
    for current, keys in ({"in/a.csv": "1"}, ["in/a.csv@1#retry-1"]), ({"in/a.csv": "2"}, []), ({"in/a.csv": None}, []):
        after, attempts = due_attempts(seen, looks=2, at_most=9, current=current)
        assert ([each.run_key for each in attempts], after.waiting) == (keys, ())
