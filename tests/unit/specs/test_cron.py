import pytest
from dagster._utils.schedules import is_valid_cron_schedule

from assay.specs.operations import cron_problem


@pytest.mark.parametrize(
    "line",
    [
        "0 6 * * 0",
        "*/15 0-6,22 1 jan,JUL mon-fri",
        "0 0 29 2 *",
        "5/10 * * * *",
        "0 22-2 * * FRI-MON",
        "0 0 L * *",
        "0 0 * * mon#1",
        "0 0 ? * 7",
    ],
)
def test_what_dagster_schedules_is_accepted(line):
    assert cron_problem(line) == ""
    assert is_valid_cron_schedule(line)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("daily", "5 fields"),
        ("0 0 * *", "5 fields"),
        ("60 * * * *", "minute is between 0 and 59"),
        ("0 24 * * *", "hour"),
        ("0 0 0 * *", "day of the month"),
        ("0 0 * 13 *", "month"),
        ("0 0 * * 8", "day of the week"),
        ("0 0 * * funday", "day of the week"),
        ("*/0 * * * *", "minute"),
        ("1,,2 * * * *", "minute"),
        ("1-2-3 * * * *", "minute"),
        ("-1 * * * *", "minute"),
        ("0 0 31 4 *", "no day 31 in month 4"),
        ("0 0 30-31 feb *", "no day 30-31 in month feb"),
    ],
)
def test_what_no_schedule_fires_on_is_refused(line, problem):
    assert problem in cron_problem(line)
