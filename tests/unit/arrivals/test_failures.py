"""Failed runs of arrivals: retried, dead, or refused by the gate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.arrivals.failures import (
    LATE_SECONDS,
    FailedRun,
    FailureKind,
    after_failures,
    due_retries,
    kind_of,
    redriven,
)
from assay.arrivals.names import RunKey, parse_run_key
from assay.arrivals.state import FailuresSeen


def failed(number, key="in/a.csv@1", kind=FailureKind.TRANSIENT, moment=1000.0):
    return FailedRun(f"run-{number}", key, moment, "in/a.csv", "1", "a.csv", kind, "why")


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        ([], FailureKind.TRANSIENT),
        (["ChildProcessCrashException"], FailureKind.TRANSIENT),
        (["DagsterExecutionStepExecutionError", "store_unavailable"], FailureKind.TRANSIENT),
        (["DagsterExecutionStepExecutionError", "source_unreachable", "OSError"], FailureKind.TRANSIENT),
        (["DagsterExecutionStepExecutionError", "data_malformed"], FailureKind.PERMANENT),
        (["DagsterExecutionStepExecutionError", "spec_invalid", "ValidationError"], FailureKind.PERMANENT),
        (["DagsterAssetCheckFailedError"], FailureKind.REFUSED),
        (["DagsterExecutionStepExecutionError", "gate_rejected"], FailureKind.REFUSED),
    ],
)
def test_a_failure_is_classified_by_its_codes(codes, kind):
    assert kind_of(codes) is kind


@given(st.text(), st.integers(0, 99), st.integers(0, 99))
def test_a_run_key_round_trips(arrival, redrive, retry):
    key = RunKey(arrival + "@1", redrive, retry)
    assert parse_run_key(str(key)) == key


def test_a_transient_failure_is_retried_after_two_scans_then_four():
    seen, letters = after_failures(FailuresSeen(), [failed(1)], max_retries=2, scans=10)
    assert not letters
    assert [(each.run_key, each.due) for each in seen.waiting] == [("in/a.csv@1#retry-1", 12)]
    again, _ = after_failures(FailuresSeen(), [failed(2, "in/a.csv@1#retry-1")], max_retries=2, scans=20)
    assert [(each.run_key, each.due) for each in again.waiting] == [("in/a.csv@1#retry-2", 24)]


def test_a_failure_becomes_a_dead_letter_after_its_retries():
    seen, [letter] = after_failures(FailuresSeen(), [failed(1, "in/a.csv@1#retry-2")], max_retries=2, scans=1)
    assert not seen.waiting
    assert (letter.uri, letter.attempts, letter.run_key) == ("in/a.csv", 3, "in/a.csv@1#retry-2")


def test_a_permanent_failure_is_a_dead_letter_at_once_and_a_refusal_is_neither_retried_nor_dead():
    runs = [failed(1, kind=FailureKind.PERMANENT), failed(2, kind=FailureKind.REFUSED)]
    seen, letters = after_failures(FailuresSeen(), runs, max_retries=2, scans=1)
    assert not seen.waiting
    assert [letter.run_id for letter in letters] == ["run-1"]


def test_a_redrive_has_its_own_key_and_retries():
    _, [letter] = after_failures(FailuresSeen(), [failed(1, "in/a.csv@1#retry-2")], max_retries=2, scans=1)
    assert redriven(letter).run_key == "in/a.csv@1#redrive-1"
    _, [letter] = after_failures(FailuresSeen(), [failed(1, "in/a.csv@1#redrive-1#retry-2")], max_retries=2, scans=1)
    assert redriven(letter).run_key == "in/a.csv@1#redrive-2"


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, LATE_SECONDS)), max_size=20), st.integers(1, 5))
def test_each_failure_counts_once_however_late_and_often_its_record_is_read(records, batch):
    runs = [failed(number, f"in/{number}.csv@1", moment=1000 + moment) for number, moment in dict(records).items()]
    seen = FailuresSeen()
    for first in range(0, len(runs), batch):
        seen, _ = after_failures(seen, runs[: first + batch], max_retries=1, scans=0)
    assert sorted(each.run_key for each in seen.waiting) == sorted(f"{run.run_key}#retry-1" for run in runs)


def test_what_is_remembered_of_failures_is_bounded():
    seen = FailuresSeen()
    for number in range(50):
        runs = [failed(f"{number}-{n}", kind=FailureKind.REFUSED, moment=1000.0 * number) for n in range(10)]
        seen, _ = after_failures(seen, runs, max_retries=1, scans=0)
    assert len(seen.handled) == 10


def test_an_object_that_was_rewritten_or_deleted_is_not_retried():
    seen, _ = after_failures(FailuresSeen(), [failed(1)], max_retries=2, scans=0)
    assert due_retries(seen, scans=1, at_most=9, current={"in/a.csv": "1"}) == (seen, [])
    for current, keys in ({"in/a.csv": "1"}, ["in/a.csv@1#retry-1"]), ({"in/a.csv": "2"}, []), ({"in/a.csv": None}, []):
        after, retries = due_retries(seen, scans=2, at_most=9, current=current)
        assert ([each.run_key for each in retries], after.waiting) == (keys, ())
