"""The sensor of new data: every object version is requested exactly once."""

import datetime as dt
import sqlite3
import sys

import boto3
import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.events import DagsterEvent, JobFailureData
from dagster._core.loader import LoadingContextForTest
from dagster._utils.error import serializable_error_info_from_exc_info
from moto import mock_aws
from small_platform import BANK, MONTHLY, bank_rows, monthly_rows, write_csv

from assay.arrivals.scan import Arrival
from assay.errors import GateRejectedError, MalformedDataError, StoreUnavailableError
from ml_assets.pipeline.joined_data import concerned

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
AUTOMATED = "automation: {{retrain_on: [new_data], unchanged_scans: 0, schedule: '0 6 * * 0'}}\n"
BY_OBJECT = BANK.replace("  target: y\n", "  partitions: {{by: object}}\n  target: y\n") + AUTOMATED


def evaluate(platform, cursor=None):
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


def error_shown(platform, pipeline):
    """Return the description of a pipeline that cannot be used."""
    graph = platform.definitions.resolve_asset_graph()
    return graph.get(dg.AssetKey([pipeline, "broken_pipeline"])).description


def accept(platform, answer):
    for request in answer.dynamic_partitions_requests or []:
        platform.instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)


def test_each_object_makes_a_partition_and_one_run(platform, tmp_path):
    platform.pipeline(BY_OBJECT, tmp_path / "in" / "*.csv")
    assert "nothing new" in evaluate(platform).skip_reason.skip_message
    write_csv(tmp_path / "in" / "a.csv", bank_rows())
    write_csv(tmp_path / "in" / "b.csv", bank_rows(seed=8))
    first = evaluate(platform)
    assert [request.partition_key for request in first.run_requests] == ["a.csv", "b.csv"]
    assert [list(r.partition_keys) for r in first.dynamic_partitions_requests] == [["a.csv", "b.csv"]]
    accept(platform, first)

    assert not evaluate(platform, first.cursor).run_requests
    write_csv(tmp_path / "in" / "c.csv", bank_rows(seed=9))
    second = evaluate(platform, first.cursor)
    assert [request.partition_key for request in second.run_requests] == ["c.csv"]


def test_a_repeated_evaluation_requests_the_same_run_keys(platform, tmp_path):
    """A crash before the cursor is stored repeats requests; their run keys make them one."""
    platform.pipeline(BY_OBJECT, tmp_path / "in" / "*.csv")
    write_csv(tmp_path / "in" / "a.csv", bank_rows())
    keys = [[request.run_key for request in evaluate(platform).run_requests] for _ in range(2)]
    assert keys[0] == keys[1]


def test_a_rewritten_object_is_requested_again(platform, tmp_path):
    platform.pipeline(BY_OBJECT, tmp_path / "in" / "*.csv")
    write_csv(tmp_path / "in" / "a.csv", bank_rows())
    first = evaluate(platform)
    accept(platform, first)
    write_csv(tmp_path / "in" / "a.csv", bank_rows(rows=210))
    second = evaluate(platform, first.cursor)
    assert [request.partition_key for request in second.run_requests] == ["a.csv"]
    assert second.run_requests[0].run_key != first.run_requests[0].run_key
    assert not second.dynamic_partitions_requests


@pytest.mark.full
def test_the_requested_run_trains(platform, tmp_path):
    platform.pipeline(BY_OBJECT, tmp_path / "in" / "*.csv")
    write_csv(tmp_path / "in" / "a.csv", bank_rows())
    accept(platform, evaluate(platform))
    assert platform.materialize("bank/*", partition="a.csv").success
    assert platform.artifacts.newest(("bank", "champion_model"), "a.csv").number == 1


INGESTED = BY_OBJECT.replace("retrain_on", "ingest_on").replace(", schedule: '0 6 * * 0'", ", retrain_on: [drift]")


def test_new_data_can_be_ingested_for_monitoring_without_training(platform, tmp_path):
    platform.pipeline(INGESTED + "monitoring: {{}}\n", tmp_path / "in" / "*.csv")
    write_csv(tmp_path / "in" / "a.csv", bank_rows())
    looked = evaluated(platform, None)
    answer = evaluate(platform)
    assert [request.partition_key for request in answer.run_requests] == ["a.csv"]
    accept(platform, answer)
    [sensor] = [one for one in platform.definitions.sensors if one.name == "bank_new_data_sensor"]
    assert sensor.job_name == "bank_ingest_job"

    job = platform.definitions.resolve_job_def(sensor.job_name)
    assert job.execute_in_process(instance=platform.instance, partition_key="a.csv", run_config=QUIET).success
    assert platform.artifacts.newest(("bank", "validated_dataset"), "a.csv").number == 1
    assert platform.artifacts.log.newest_number(("bank", "trained_model"), "a.csv") == 0
    asked = evaluated(platform, looked.cursor)
    assert [one.key.path[-1] for one in asked.results if not one.true_subset.is_empty] == ["drift_report"]


def evaluated(platform, cursor):
    """Evaluate the conditions inside the graph once."""
    return dg.evaluate_automation_conditions(defs=platform.definitions, instance=platform.instance, cursor=cursor)


def test_a_schedule_trains_beside_a_sensor_that_ingests(platform, tmp_path):
    text = BY_OBJECT.replace("retrain_on", "ingest_on")
    platform.pipeline(text, tmp_path / "in" / "*.csv")
    definitions = platform.definitions
    [schedule] = [one for one in definitions.schedules if one.name == "bank_retrain_schedule"]
    assert schedule.job_name == "bank_retrain_job"
    trained = definitions.resolve_job_def("bank_retrain_job").asset_layer.executable_asset_keys
    ingested = definitions.resolve_job_def("bank_ingest_job").asset_layer.executable_asset_keys
    assert {key.path[-1] for key in ingested} == {"raw_dataset", "validated_dataset"}
    assert len(trained) == 6


def test_without_partitions_all_new_objects_make_one_run(platform, tmp_path):
    platform.pipeline(BANK + AUTOMATED, tmp_path / "in" / "*.csv")
    for number in range(3):
        write_csv(tmp_path / "in" / f"{number}.csv", bank_rows(seed=number))
    answer = evaluate(platform)
    assert len(answer.run_requests) == 1
    assert answer.run_requests[0].partition_key is None


def test_a_placeholder_in_the_source_gives_the_month(platform, tmp_path):
    text = MONTHLY.replace(", column: day", "") + AUTOMATED
    platform.pipeline(text, str(tmp_path / "in" / "rows_{partition}.csv"))
    write_csv(tmp_path / "in" / "rows_2021-01.csv", monthly_rows(months=("2021-01",)))
    [request] = evaluate(platform).run_requests
    assert request.partition_key == "2021-01"
    assert platform.materialize("monthly/raw_dataset", partition="2021-01").success


def test_months_of_a_column_cannot_be_sensed(platform, tmp_path):
    platform.pipeline(MONTHLY + AUTOMATED, write_csv(tmp_path / "rows.csv", monthly_rows()))
    assert "objects of this source do not show which partition is new" in error_shown(platform, "monthly")


def test_the_schedule_asks_for_the_newest_finished_month(platform, tmp_path):
    platform.pipeline(MONTHLY.replace(", column: day", "") + AUTOMATED, str(tmp_path / "rows_{partition}.csv"))
    [schedule] = [one for one in platform.definitions.schedules if one.name == "monthly_retrain_schedule"]
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
        s3 = boto3.Session().client("s3")
        s3.create_bucket(Bucket="arrivals")
        assert not evaluate(platform).run_requests
        path = write_csv(tmp_path / "a.csv", bank_rows())
        s3.upload_file(str(path), "arrivals", "in/a.csv")
        s3.put_object(Bucket="arrivals", Key="elsewhere/b.csv", Body=b"x")
        first = evaluate(platform)
        assert [request.partition_key for request in first.run_requests] == ["a.csv"]
        assert not evaluate(platform, first.cursor).run_requests
        accept(platform, first)
        assert platform.materialize("bank/raw_dataset", partition="a.csv").success


def fail(platform, request, error, parent=None, **tags):
    """Record a run of a request that failed with an error, as Dagster does."""
    run = platform.instance.create_run_for_job(
        platform.definitions.resolve_job_def("bank_retrain_job"),
        tags={
            "dagster/run_key": request.run_key,
            "dagster/sensor_name": "bank_new_data_sensor",
            "dagster/partition": request.partition_key,
        },
        parent_run_id=parent,
        root_run_id=parent,
    )
    try:
        raise error
    except type(error):
        reported = serializable_error_info_from_exc_info(sys.exc_info())
    data = JobFailureData(error=reported, failure_reason=None)
    event = DagsterEvent("PIPELINE_FAILURE", "bank_retrain_job", event_specific_data=data, message="failed")
    platform.instance.report_dagster_event(event, run.run_id)
    platform.instance.add_run_tags(run.run_id, tags)
    return run.run_id


def evaluations(platform, cursor, count):
    """Evaluate the sensor so many times; return the requests and the last result."""
    requests = []
    for _ in range(count):
        answer = evaluate(platform, cursor)
        requests += answer.run_requests or []
        cursor = answer.cursor
    return requests, answer


def test_a_run_that_failed_for_a_while_is_requested_again_under_a_key_of_its_own(platform, tmp_path):
    platform.pipeline(BY_OBJECT, tmp_path / "in" / "*.csv")
    write_csv(tmp_path / "in" / "a.csv", bank_rows())
    first = evaluate(platform)
    accept(platform, first)
    fail(platform, first.run_requests[0], StoreUnavailableError("the store does not answer"))
    [request], answer = evaluations(platform, first.cursor, 6)
    assert (request.partition_key, request.run_key) == ("a.csv", f"{first.run_requests[0].run_key}#retry-1")
    assert not answer.asset_events


def test_a_run_that_dagster_or_a_person_starts_again_is_left_to_them(platform, tmp_path):
    platform.pipeline(BY_OBJECT, tmp_path / "in" / "*.csv")
    write_csv(tmp_path / "in" / "a.csv", bank_rows())
    first = evaluate(platform)
    [request] = first.run_requests
    fail(platform, request, StoreUnavailableError("no answer"), **{"dagster/will_retry": "true"})
    root = fail(platform, request, StoreUnavailableError("no answer"), **{"dagster/sensor_name": "another"})
    fail(platform, request, StoreUnavailableError("no answer"), root)
    assert evaluations(platform, first.cursor, 6)[0] == []


def test_a_refusal_of_the_gate_is_no_failure_to_be_retried(platform, tmp_path):
    platform.pipeline(BY_OBJECT, tmp_path / "in" / "*.csv")
    write_csv(tmp_path / "in" / "a.csv", bank_rows())
    first = evaluate(platform)
    fail(platform, first.run_requests[0], GateRejectedError("refused"))
    requests, answer = evaluations(platform, first.cursor, 6)
    assert requests == []
    assert "dead letter" not in answer.skip_reason.skip_message


def test_a_dead_letter_is_shown_and_one_command_starts_it_over(platform, tmp_path):
    platform.pipeline(BY_OBJECT, tmp_path / "in" / "*.csv")
    write_csv(tmp_path / "in" / "a.csv", bank_rows())
    first = evaluate(platform)
    accept(platform, first)
    fail(platform, first.run_requests[0], MalformedDataError("a row is short", where="in/a.csv"))
    second = evaluate(platform, first.cursor)
    [event] = second.asset_events
    assert (event.asset_key.to_user_string(), event.partition) == ("bank/raw_dataset", "a.csv")
    assert event.metadata["dead_letter/reason"].value == "[data_malformed: unreadable] a row is short"
    assert "1 dead letter: see arrivals_redrive_job" in second.skip_reason.skip_message

    def redrive(**config):
        job = platform.definitions.resolve_job_def("arrivals_redrive_job")
        ops = {"ops": {"order_redrive": {"config": {"pipeline": "bank", **config}}}}
        return job.execute_in_process(run_config=ops, instance=platform.instance, raise_on_error=False).success

    assert not redrive(uri="in/elsewhere.csv")
    assert redrive(uri=event.metadata["dead_letter/uri"].value)
    [request], answer = evaluations(platform, second.cursor, 3)
    assert request.run_key == f"{first.run_requests[0].run_key}#redrive-1"
    assert "dead letter" not in answer.skip_reason.skip_message


def test_what_was_there_before_can_be_passed_over(platform, tmp_path):
    text = BY_OBJECT.replace("automation: {{", "automation: {{existing: skip, ")
    platform.pipeline(text, tmp_path / "in" / "*.csv")
    write_csv(tmp_path / "in" / "a.csv", bank_rows())
    first = evaluate(platform)
    assert not first.run_requests
    write_csv(tmp_path / "in" / "b.csv", bank_rows(seed=8))
    assert [request.partition_key for request in evaluate(platform, first.cursor).run_requests] == ["b.csv"]


def test_a_month_that_has_not_ended_waits(platform, tmp_path):
    text = MONTHLY.replace(", column: day", "").replace(', end: "2021-06"', "") + AUTOMATED
    platform.pipeline(text, str(tmp_path / "in" / "rows_{partition}.csv"))
    write_csv(tmp_path / "in" / "rows_2999-01.csv", monthly_rows(months=("2021-01",)))
    answer = evaluate(platform)
    assert "1 waits for its partition" in answer.skip_reason.skip_message
    write_csv(tmp_path / "in" / "rows_2021-01.csv", monthly_rows(months=("2021-01",)))
    assert [request.partition_key for request in evaluate(platform, answer.cursor).run_requests] == ["2021-01"]


@pytest.mark.full
def test_rewritten_data_make_what_read_them_stale_and_then_what_read_that(platform, tmp_path):
    platform.pipeline(BY_OBJECT, tmp_path / "in" / "*.csv")
    write_csv(tmp_path / "in" / "a.csv", bank_rows())
    accept(platform, evaluate(platform))
    assert platform.materialize("bank/*", partition="a.csv").success

    def status(asset):
        graph = platform.definitions.resolve_asset_graph()
        loading = LoadingContextForTest(platform.instance)
        resolver = CachingStaleStatusResolver(platform.instance, graph, loading)
        return resolver.get_status(dg.AssetKey(["bank", asset]), "a.csv")

    assert status("champion_model") is StaleStatus.FRESH
    write_csv(tmp_path / "in" / "a.csv", bank_rows(rows=210))
    readers = ("trained_model", "evaluation_report", "champion_model")
    for asset, expected in (("raw_dataset", ("validated_dataset",)), ("validated_dataset", readers)):
        assert platform.materialize(f"bank/{asset}", partition="a.csv").success
        stale = [each for each in ("validated_dataset", *readers) if status(each) is StaleStatus.STALE]
        assert stale == list(expected)
    assert platform.artifacts.newest(("bank", "raw_dataset"), "a.csv").number == 2


def test_new_rows_of_a_query_are_seen_by_its_watermark(platform, tmp_path):
    database = f"sqlite:///{tmp_path}/rows.db"
    query = "  query: select * from t\n  watermark: select max(id) from t\n"
    text = BANK.replace("  target: y\n", f"{query}  target: y\n") + AUTOMATED
    platform.pipeline(text, database)
    with sqlite3.connect(tmp_path / "rows.db") as connection:
        connection.execute("create table t (id integer, y text)")
        connection.execute("insert into t values (1, 'yes')")
    first = evaluate(platform)
    assert [request.partition_key for request in first.run_requests] == [None]
    assert not evaluate(platform, first.cursor).run_requests
    with sqlite3.connect(tmp_path / "rows.db") as connection:
        connection.execute("insert into t values (2, 'no')")
    [request] = evaluate(platform, first.cursor).run_requests
    assert request.run_key != first.run_requests[0].run_key


def test_rows_of_a_query_without_a_watermark_cannot_be_sensed(platform):
    query = "  query: select * from t\n"
    platform.pipeline(BANK.replace("  target: y\n", f"{query}  target: y\n") + AUTOMATED, "sqlite:///rows.db")
    assert "without a watermark" in error_shown(platform, "bank")


JOINED = """\
features: {{steps: [{{join: {{table: rates, source: {rates}, on: [k]}}}}]}}
automation: {{ingest_on: [joined_data], unchanged_scans: 0{more}}}
"""


def joined(platform, rates, *, more=""):
    rows = [row | {"k": "a"} for row in monthly_rows()]
    source = write_csv(platform.settings.pipelines_dir.parent / "data" / "monthly.csv", rows)
    platform.pipeline(MONTHLY + JOINED.replace("{rates}", str(rates)).replace("{more}", more), source)


def made(platform, *months):
    for month in months:
        event = dg.AssetMaterialization(["monthly", "raw_dataset"], partition=month)
        platform.instance.report_runless_asset_event(event)


def requested(answer):
    return [request.partition_key for request in answer.run_requests]


def test_a_changed_joined_source_makes_the_newest_partition_again(platform, tmp_path):
    rates = write_csv(tmp_path / "rates.csv", [{"k": "a", "rate": 1}])
    joined(platform, rates)
    [sensor] = [each for each in platform.definitions.sensors if "new_data" in each.name]
    assert (sensor.name, sensor.job_name) == ("monthly_rates_new_data_sensor", "monthly_ingest_job")
    made(platform, "2021-01", "2021-02")
    first = evaluate(platform)  # what is there was read when the partitions were made
    assert not first.run_requests
    write_csv(rates, [{"k": "a", "rate": 2}])
    second = evaluate(platform, first.cursor)
    assert requested(second) == ["2021-02"]
    assert [each.run_key for each in evaluate(platform, first.cursor).run_requests] == [second.run_requests[0].run_key]
    assert not evaluate(platform, second.cursor).run_requests
    joined(platform, rates, more=", joined_partitions: all")
    assert requested(evaluate(platform, first.cursor)) == ["2021-01", "2021-02"]


def test_an_object_of_a_joined_partition_concerns_that_partition_once_it_was_made(platform, tmp_path):
    for month in ("2021-01", "2021-02", "2021-03"):
        write_csv(tmp_path / f"rates-{month}.csv", [{"k": "a", "rate": 1}])
    joined(platform, f"'{tmp_path}/rates-{{{{partition}}}}.csv'")
    made(platform, "2021-01", "2021-02")
    first = evaluate(platform)
    for month in ("2021-01", "2021-03"):
        write_csv(tmp_path / f"rates-{month}.csv", [{"k": "a", "rate": 2}])
    assert requested(evaluate(platform, first.cursor)) == ["2021-01"]


def test_a_run_of_a_joined_source_is_of_no_object():
    arrival = Arrival("digest", None)
    runs = list(concerned(arrival, ["a.csv", "b@2.csv"], all_partitions=True))
    assert [(run.run_key, run.partition_key) for run in runs] == [
        ("digest a.csv", "a.csv"),
        ("digest b%402.csv", "b@2.csv"),
    ]
    assert list(concerned(arrival, None, all_partitions=False)) == [arrival]
    again = Arrival("digest a.csv#retry-1", "a.csv")
    assert list(concerned(again, ["a.csv"], all_partitions=False)) == [again]


def test_a_joined_query_cannot_be_watched(platform, tmp_path):
    joined(platform, "sqlite:///rates.db, query: select 1 as k")
    assert "joined_data needs a source" in error_shown(platform, "monthly")
