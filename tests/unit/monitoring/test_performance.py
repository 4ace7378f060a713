import pytest

from assay.monitoring.performance import PerformanceReport, with_alarm
from assay.specs.operations import PerformanceSpec

RULE = PerformanceSpec(max_loss=0.05, alarm_windows=2)


def window(degraded, version="1"):
    return PerformanceReport(
        pipeline="demo",
        partition="",
        champion_version=version,
        metric="roc_auc",
        rows=100,
        value_at_promotion=0.8,
        value_now=0.7,
        degraded=degraded,
    )


def after(windows):
    earlier = []
    for each in windows:
        earlier.append(with_alarm(each, earlier, RULE))
    return [(each.alarm, each.alarm_start) for each in earlier]


@pytest.mark.parametrize(
    ("degraded", "last"),
    [
        ([True], (False, False)),
        ([True, True], (True, True)),
        ([True, False, True], (False, False)),
        ([True, True, True], (True, False)),  # the alarm lasts and does not start again
        ([True, True, False, True, True], (True, True)),
    ],
)
def test_an_alarm_needs_consecutive_degraded_windows_and_starts_once(degraded, last):
    assert after([window(each) for each in degraded])[-1] == last


def test_windows_of_another_champion_do_not_count():
    assert after([window(degraded=True), window(degraded=True, version="2")])[-1] == (False, False)
