"""Which partition a window's season is compared with, and which one's labels are known."""

import pytest
from monitoring_world import pipeline

from assay.monitoring.seasons import partition_before, season_partition


def spec(by, start, season="auto"):
    dataset = {"source": "rows.csv", "target": "y", "partitions": {"by": by, "column": "t", "start": start}}
    return pipeline("regression", dataset=dataset, monitoring={"drift": {"season": season}})


@pytest.mark.parametrize(("by", "start", "window", "trained_until", "season"), [
    ("month", "2019-01", "2021-07", "2021-05", "2020-07"),
    ("month", "2019-01", "2022-07", "2021-05", "2020-07"),  # 2021-07 came after the champion
    ("month", "2019-01", "2021-07", "2020-07", "2020-07"),
    ("month", "2019-01", "2020-01", "2019-12", "2019-01"),
    ("month", "2019-02", "2020-01", "2019-12", None),  # before the first partition
    ("day", "2021-01-01", "2021-03-08", "2021-03-06", "2021-03-01"),
    ("day", "2021-01-01", "2021-03-20", "2021-03-06", "2021-03-06"),
    ("hour", "2021-01-01-00:00", "2021-03-08-05:00", "2021-03-07-00:00", "2021-03-01-05:00"),
    ("week", "2019-01-06", "2021-01-03", "2020-12-27", "2020-01-05"),
    ("year", "2000", "2021", "2020", None),
    ("month", "2019-01", "2021-04", "2021-05", None),  # the champion is younger than the window
    ("month", "2019-01", "2021-07", "", None),
])  # fmt: skip
def test_the_season_is_that_before_the_champion_was_trained(by, start, window, trained_until, season):
    assert season_partition(spec(by, start), window, trained_until) == season


def test_the_length_of_a_season_is_a_setting():
    assert season_partition(spec("month", "2019-01", 6), "2021-07", "2021-05") == "2021-01"
    assert season_partition(spec("year", "2000", 4), "2021", "2020") == "2017"
    assert season_partition(spec("month", "2019-01", "none"), "2021-07", "2021-05") is None


def test_partitions_are_counted_back_over_a_years_end():
    assert partition_before(spec("month", "2019-01"), "2020-02", 3) == "2019-11"
    assert partition_before(spec("month", "2019-01"), "2019-02", 3) is None
    assert partition_before(spec("month", "2019-01"), "2019-02", 0) == "2019-02"
