"""Each kind of event has its text."""

from assay.errors import SerialisedError
from assay.notifications.notification import NotificationKind, text_of
from assay.notifications.wording import (
    EndedRun,
    FailedRule,
    alarmed,
    channel_test,
    gate_refused,
    promoted,
    rolled_back,
    run_failed,
    withdrawn,
)

RUN = EndedRun("r1", "bank_retrain_job", "bank", "2021-03", "http://ui/runs/r1")
PAGE = "http://ui/assets/bank/x"


def test_a_refusal_names_rules_rows_and_report():
    notification = gate_refused(
        RUN, [FailedRule("values_in_range", 1204), FailedRule("schema")], "s3://b/report.json", PAGE
    )
    assert text_of(notification).splitlines() == [
        "The gate refused the data of bank 2021-03",
        "  values_in_range: 1,204 rows",
        "  schema: the whole table",
        "  report: s3://b/report.json",
        "  nothing was published, and nothing learns from this data",
        PAGE,
    ]


def test_many_rules_leave_room_for_the_report():
    notification = gate_refused(RUN, [FailedRule(f"rule_{n}", 1) for n in range(30)], "s3://b/report.json", PAGE)
    assert "report: s3://b/report.json" in notification.lines
    assert notification.lines[9:11] == ("rule_9: 1 row", "and 20 more rules")
    one = gate_refused(RUN, [FailedRule(f"rule_{n}", 1) for n in range(11)], "", PAGE)
    assert one.lines[10] == "and 1 more rule"


def test_a_withdrawal_names_the_champion_before_and_the_reason():
    found = withdrawn(RUN, "none", "4", "its files were deleted", PAGE)
    assert found.title == "bank 2021-03: the champion was withdrawn"
    assert found.lines == ("champion before: 4", "reason: its files were deleted")


def test_a_failure_names_code_location_remedy_and_step():
    error = SerialisedError("source_not_found", "no such file", "a.csv", "4711", remedy="check the path")
    notification = run_failed(RUN, "bank__raw_dataset", error)
    assert text_of(notification).splitlines() == [
        "A run of bank 2021-03 failed",
        "  [source_not_found] no such file",
        "  where: a.csv",
        "  remedy: check the path",
        "  step: bank__raw_dataset",
        "http://ui/runs/r1",
    ]


def test_a_run_without_a_failed_step_says_so():
    assert run_failed(RUN, "", None, again=True).lines[-1] == "it will be retried"
    assert run_failed(RUN, "", None).lines == ("no step failed: the process may have been killed",)


def test_champions_are_named_by_version():
    assert promoted(RUN, "4", "3", "better", PAGE).title == "bank 2021-03: version 4 is the champion now"
    assert promoted(RUN, "4", "3", "better", PAGE).lines == ("better", "champion before: 3")
    back = rolled_back(RUN, "3", "4", "", PAGE)
    assert back.title == "bank 2021-03: rolled back to version 3"
    assert back.lines == ("it replaced version 4",)


def test_alarms_say_what_was_found():
    assert (
        alarmed(RUN, NotificationKind.DRIFT, "age moved", PAGE).title
        == "bank 2021-03: rows or predictions have drifted"
    )
    assert alarmed(RUN, NotificationKind.PERFORMANCE, "x", PAGE).title == "bank 2021-03: the champion is degraded"


def test_events_of_one_run_differ():
    events = {run_failed(RUN, "", None).event, promoted(RUN, "1", "", "", "").event, channel_test("", "now").event}
    assert len(events) == 3
