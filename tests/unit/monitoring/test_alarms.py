"""An alarm begins, is answered by a training that saw its window, and begins again while it stands."""

from types import SimpleNamespace

import pytest
from monitoring_world import pipeline

from assay.monitoring.alarms import alarm_state, windows_needed

MONTHLY = {"source": "rows.csv", "target": "y", "partitions": {"by": "month", "column": "t", "start": "2020-01"}}


def spec(*, by="time", **monitoring):
    split = {"by": by, "train_partitions": 3} if by == "time" else {"by": by}
    return pipeline("regression", dataset=MONTHLY, split=split, monitoring=monitoring)


def course(alarms, spec):
    """Windows in which the alarm begins, and those whose training answers it; one character is one window."""
    reports = []
    for each in alarms:
        state = alarm_state(each == "!", reports, spec)
        reports.append(SimpleNamespace(alarm=each == "!", alarm_start=state.start, training_due=state.training_due))
    begun = "".join("b" if one.alarm_start else "." for one in reports)
    return begun, "".join("t" if one.training_due else "." for one in reports)


@pytest.mark.parametrize(("alarms", "begins", "trainings"), [
    ("..!..", "..b..", "...t."),
    ("..!!...", "..b....", "...t..."),
    ("!!!!!!!!", "b...b..b", ".t..t..t"),
    ("!.!.!.!", "b.b.b.b", ".t.t.t."),
    ("!!.!!!", "b..b..", ".t..t."),
])  # fmt: skip
def test_split_by_time_the_next_windows_training_holds_the_alarms_window(alarms, begins, trainings):
    assert course(alarms, spec()) == (begins, trainings)


def test_a_training_of_the_same_rows_answers_at_once():
    assert course("..!!!!!!", spec(by="random")) == ("..b..b..", "..t..t..")


def test_the_number_of_windows_is_a_setting():
    assert course("!!!!!!!!", spec(repeat_after=5)) == ("b.....b.", ".t....t.")
    assert course("!!!!", spec(repeat_after=1)) == ("b.bb", ".ttt")


def test_an_answer_waits_for_labels():
    assert course("!!!!!!!!!", spec(label_delay=2)) == ("b.....b..", "...t..t..")


def test_a_standing_alarm_of_a_report_without_an_answer_is_answered():
    """Reports of earlier versions say nothing of trainings."""
    old = [SimpleNamespace(alarm=True, alarm_start=n == 0, training_due=False) for n in range(20)]
    state = alarm_state(True, old, spec())
    assert (state.start, state.training_due) == (False, True)


def test_enough_reports_are_read_to_know_the_last_answer():
    assert windows_needed(spec(repeat_after=9), 3) >= 9 + 1
    assert windows_needed(spec(), 30) == 60
