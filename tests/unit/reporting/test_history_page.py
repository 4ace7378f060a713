"""The page of a pipeline over time, from typed values."""

import datetime as dt

import pytest

from assay.monitoring.drift import DriftReport, FeatureDrift
from assay.monitoring.performance import PerformanceReport
from assay.promotion.champion import ChampionEntry
from assay.reporting.history_page import (
    PipelineHistory,
    WatchedWindow,
    alarms_of,
    baseline_chart,
    metric_chart,
    state_of,
    to_html,
)

NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


def entry(number, event="promoted", version=None, **more):
    return ChampionEntry(
        number=number,
        event=event,
        registered_name="demo",
        version=version or str(number),
        digest="d",
        created_at=NOON + dt.timedelta(days=number),
        **more,
    )


def performance(partition, value, **more):
    return PerformanceReport(
        pipeline="demo",
        partition=partition,
        champion_version="1",
        metric="roc_auc",
        rows=10,
        value_at_promotion=0.8,
        value_now=value,
        **more,
    )


def drift(partition, **more):
    features = (
        FeatureDrift(
            name="x", statistic="KS distance", effect=0.4, p_value=0.0, missing_before=0, missing_now=0, drifted=True
        ),
        FeatureDrift(
            name="z", statistic="KS distance", effect=0.1, p_value=0.5, missing_before=0, missing_now=0, drifted=False
        ),
    )
    given = {"features": features, "status": "judged", **more}
    return DriftReport(
        pipeline="demo", partition=partition, champion_version="1", reference_rows=9, window_rows=9, **given
    )


WINDOWS = (
    WatchedWindow("2024-01", performance("2024-01", 0.79, baseline_now=0.5), predicted=100),
    WatchedWindow(
        "2024-02", performance("2024-02", None, reason="no labelled rows yet"), drift("2024-02"), "/d/2", 200
    ),
    WatchedWindow(
        "2024-03",
        performance("2024-03", 0.6, loss=0.2, degraded_by=("loss",), alarm=True, alarm_start=True),
        drift("2024-03", alarm_features=("x",), windows=("2024-02", "2024-03"), alarm_start=True),
        "/d/3",
        answered=5,
    ),
)


def history(*entries, windows=WINDOWS, models=()):
    return PipelineHistory("demo", "demo", entries, models, windows, "/demo", {"1": "/r/1"})


def test_what_was_predicted_since_is_no_newer_window_that_was_watched():
    later = (*WINDOWS, WatchedWindow("2024-04-01 06:28", predicted=3))
    assert state_of(history(entry(1), windows=later), list(alarms_of(later))).state == "rejected"


def test_the_champion_and_an_alarm_of_the_newest_window_are_said_first():
    found = state_of(history(entry(1)), list(alarms_of(WINDOWS)))
    assert (found.state, found.words) == ("rejected", "Champion: version 1")
    assert "The newest window, 2024-03, has an alarm: performance and drift." in found.reason


def test_without_alarm_or_champion_the_page_says_so():
    assert state_of(history(entry(1), windows=WINDOWS[:2]), []).state == "passed"
    assert state_of(history(), []).words == "No champion"
    assert state_of(history(entry(1), entry(2, "withdrawn", "1")), []).words == "No champion"


@pytest.mark.parametrize("event", ["awaiting_approval", "rejected"])
def test_a_version_that_only_waits_is_not_the_champion(event):
    assert state_of(history(entry(1), entry(2, event)), []).words == "Champion: version 1"


def test_a_rollback_names_its_version_as_the_champion():
    found = state_of(history(entry(1), entry(2), entry(3, "rolled_back", "1")), [])
    assert found.words == "Champion: version 1"
    assert found.reason == "Since 2024-05-04 12:00 UTC, rolled back."


def test_alarms_come_newest_first_with_the_page_of_their_window():
    found = [(each.window, each.kind, each.begins, each.url) for each in alarms_of(WINDOWS)]
    assert found == [("2024-03", "performance", True, ""), ("2024-03", "drift", True, "/d/3")]


def test_the_metric_is_drawn_over_windows_beside_baseline_and_promotion():
    lines = {line.name: (line.x, line.y) for line in metric_chart(WINDOWS).lines}
    assert lines == {
        "measured": ((0.0, 2.0), (0.79, 0.6)),
        "at promotion": ((0.0, 1.0, 2.0), (0.8, 0.8, 0.8)),
    }
    assert [line.y for line in baseline_chart(WINDOWS).lines] == [(0.79, 0.6), (0.5,)]
    assert metric_chart(WINDOWS).marked == (2.0,)


def test_windows_of_another_metric_are_not_drawn_in_the_same_picture():
    other = performance("2023-12", 12.0).model_copy(update={"metric": "log_loss"})
    lines = metric_chart((WatchedWindow("2023-12", other), *WINDOWS)).lines
    assert lines[0].y == (0.79, 0.6)


def test_the_page_has_every_part():
    page = to_html(history(entry(1, reason="better"), entry(2, replaced="1", by="ann")))
    for part in ("Champion on new rows", "Share drifted", "Largest effects", "Rows predicted", 'href="/d/3"', "ann"):
        assert part in page
    assert 'href="/r/1"' in page
    assert "degraded by loss" in page
    assert "in batches" in page
    assert "by the endpoint" in page
    assert "<script" not in page


def test_a_pipeline_of_which_nothing_is_known_has_a_page_that_says_what_to_do():
    page = to_html(history(windows=()))
    assert page.count(" yet") >= 5
    assert "No window has an alarm." in page


def test_texts_are_escaped():
    evil = "<script>alert(1)</script>"
    windows = (WatchedWindow(evil, performance(evil, 0.1, alarm=True, reason=evil), drift(evil), evil),)
    page = to_html(history(entry(1, reason=evil, by=evil, version=evil), windows=windows))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 5
