"""The sensor of new data: every object version is requested exactly once."""

import datetime as dt

import boto3
import dagster as dg
import pytest
from moto import mock_aws
from small_platform import BANK, MONTHLY, bank_rows, monthly_rows, write_csv

from assay.errors import SpecError

AUTOMATED = "automation: {{retrain_on: [new_data], schedule: '0 6 * * 0'}}\n"
BY_OBJECT = BANK.replace("  target: y\n", "  partitions: {{by: object}}\n  target: y\n") + AUTOMATED


def tick(platform, cursor=None):
    """Evaluate the pipeline's one sensor."""
    definitions = platform.definitions
    [sensor] = [sensor for sensor in definitions.sensors if sensor.name.endswith("_new_data_sensor")]
    with dg.build_sensor_context(
        instance=platform.instance,
        cursor=cursor,
        repository_def=definitions.get_repository_def(),
        resources={name: definitions.resources[name] for name in ("data_sources", "arrivals_store")},
    ) as context:
        return sensor(context)


def accept(platform, answer):
    for request in answer.dynamic_partitions_requests or []:
        platform.instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)


def test_each_object_makes_a_partition_and_one_run(platform, tmp_path):
    platform.pipeline(BY_OBJECT, tmp_path / "in" / "*.csv")
    assert "nothing new" in tick(platform).skip_reason.skip_message
    write_csv(tmp_path / "in" / "a.csv", bank_rows())
    write_csv(tmp_path / "in" / "b.csv", bank_rows(seed=8))
    first = tick(platform)
    assert [request.partition_key for request in first.run_requests] == ["a.csv", "b.csv"]
    assert [list(r.partition_keys) for r in first.dynamic_partitions_requests] == [["a.csv", "b.csv"]]
    accept(platform, first)

    assert not tick(platform, first.cursor).run_requests
    write_csv(tmp_path / "in" / "c.csv", bank_rows(seed=9))
    second = tick(platform, first.cursor)
    assert [request.partition_key for request in second.run_requests] == ["c.csv"]


def test_the_same_look_asks_for_the_same_run_keys(platform, tmp_path):
    """A crash before the cursor is stored repeats requests; their run keys make them one."""
    platform.pipeline(BY_OBJECT, tmp_path / "in" / "*.csv")
    write_csv(tmp_path / "in" / "a.csv", bank_rows())
    keys = [[request.run_key for request in tick(platform).run_requests] for _ in range(2)]
    assert keys[0] == keys[1]


def test_a_rewritten_object_is_requested_again(platform, tmp_path):
    platform.pipeline(BY_OBJECT, tmp_path / "in" / "*.csv")
    write_csv(tmp_path / "in" / "a.csv", bank_rows())
    first = tick(platform)
    accept(platform, first)
    write_csv(tmp_path / "in" / "a.csv", bank_rows(rows=210))
    second = tick(platform, first.cursor)
    assert [request.partition_key for request in second.run_requests] == ["a.csv"]
    assert second.run_requests[0].run_key != first.run_requests[0].run_key
    assert not second.dynamic_partitions_requests


def test_the_requested_run_trains(platform, tmp_path):
    platform.pipeline(BY_OBJECT, tmp_path / "in" / "*.csv")
    write_csv(tmp_path / "in" / "a.csv", bank_rows())
    accept(platform, tick(platform))
    assert platform.materialize("bank/*", partition="a.csv").success
    assert platform.artifacts.newest(("bank", "champion_model"), "a.csv").number == 1


def test_without_partitions_all_new_objects_make_one_run(platform, tmp_path):
    platform.pipeline(BANK + AUTOMATED, tmp_path / "in" / "*.csv")
    for number in range(3):
        write_csv(tmp_path / "in" / f"{number}.csv", bank_rows(seed=number))
    answer = tick(platform)
    assert len(answer.run_requests) == 1
    assert answer.run_requests[0].partition_key is None


def test_a_placeholder_in_the_source_gives_the_month(platform, tmp_path):
    text = MONTHLY.replace(", column: day", "") + AUTOMATED
    platform.pipeline(text, str(tmp_path / "in" / "rows_{partition}.csv"))
    write_csv(tmp_path / "in" / "rows_2021-01.csv", monthly_rows(months=("2021-01",)))
    [request] = tick(platform).run_requests
    assert request.partition_key == "2021-01"
    assert platform.materialize("monthly/raw_dataset", partition="2021-01").success


def test_months_of_a_column_cannot_be_sensed(platform, tmp_path):
    platform.pipeline(MONTHLY + AUTOMATED, write_csv(tmp_path / "rows.csv", monthly_rows()))
    with pytest.raises(SpecError, match="new data cannot be told by its objects"):
        platform.definitions  # noqa: B018 - building them is the test


def test_the_schedule_asks_for_the_newest_finished_month(platform, tmp_path):
    platform.pipeline(MONTHLY.replace(", column: day", "") + AUTOMATED, str(tmp_path / "rows_{partition}.csv"))
    [schedule] = platform.definitions.schedules
    moment = dt.datetime(2021, 3, 7, 6, tzinfo=dt.UTC)
    context = dg.build_schedule_context(
        instance=platform.instance,
        scheduled_execution_time=moment,
        repository_def=platform.definitions.get_repository_def(),
    )
    [request] = schedule.evaluate_tick(context).run_requests
    assert request.partition_key == "2021-02"


def test_an_object_under_an_s3_prefix_is_seen(platform, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    platform.pipeline(BY_OBJECT, "s3://arrivals/in/*.csv")
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="arrivals")
        assert not tick(platform).run_requests
        path = write_csv(tmp_path / "a.csv", bank_rows())
        s3.upload_file(str(path), "arrivals", "in/a.csv")
        s3.put_object(Bucket="arrivals", Key="elsewhere/b.csv", Body=b"x")
        first = tick(platform)
        assert [request.partition_key for request in first.run_requests] == ["a.csv"]
        assert not tick(platform, first.cursor).run_requests
        accept(platform, first)
        assert platform.materialize("bank/raw_dataset", partition="a.csv").success
