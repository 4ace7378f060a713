"""What tools beside the platform get of a run."""

import json
import os
import re
import struct
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from small_platform import run_config, selected

from assay.errors import SettingError, SpecError
from ml_assets import observing
from ml_assets.observing import observed_executor
from ml_assets.resource_wiring import executor_for
from resources.mlflow.connection import connect
from resources.observers import delivery, opening, openlineage_events
from resources.observers.interface import ObserverKind
from resources.observers.opening import OBSERVERS, observers_of
from resources.settings import Settings

GATE = ("bank/raw_dataset", "bank/validated_dataset")


def executed(platform, *assets, parameters=None, **settings):
    """Execute assets by the deployment's executor, as a daemon does; return the run's id, outcome and warnings."""
    platform.settings = platform.settings.model_copy(update=settings)
    definitions = platform.definitions
    keys = {key for key in definitions.resolve_all_asset_keys() if selected(key, assets)}
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(asset_selection=keys)
    config = run_config(parameters, experiment=True)
    run = platform.instance.create_run_for_job(job, run_config=config)
    result = execute_run(InMemoryJob(job), run, platform.instance, raise_on_error=False)
    return SimpleNamespace(id=run.run_id, success=result.success, warnings=warnings_of(platform.instance, run.run_id))


def warnings_of(instance, run_id):
    return [each.user_message for each in instance.all_logs(run_id) if each.level == 30]


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def said(events):
    return [(each["job"]["name"], each["eventType"]) for each in events]


def tags_of(event):
    return {each["key"]: each["value"] for each in event["run"]["facets"]["tags"]["tags"]}


def names(datasets):
    return [(each["namespace"], each["name"]) for each in datasets]


# what every observer gets


class Noted:
    """An observer that notes its events."""

    def __init__(self):
        self.calls = []

    def step_started(self, step):
        self.calls.append(("start", step.name, step.attempt))

    def step_ended(self, ended):
        self.calls.append((ended.outcome, ended.step.name, ended.step.attempt, ended.error))

    def run_ended(self, ended):
        self.calls.append(("run failed" if ended.failed else "run succeeded",))


@pytest.fixture
def observed(monkeypatch):
    """Run a job of one op whose runs a new kind of observer follows."""

    def run(body, observer, **op):
        kind = ObserverKind("Toy", "ASSAY_TOY", "toy", "json", lambda _: True, lambda _: observer)
        monkeypatch.setattr(opening, "OBSERVERS", (kind,))

        @dg.op(name="bank__raw_dataset", **op)
        def step():
            body()

        @dg.job(executor_def=observed_executor(dg.in_process_executor, Settings(), dict))
        def job():
            step()

        with dg.DagsterInstance.ephemeral() as instance:
            result = execute_run(InMemoryJob(job), instance.create_run_for_job(job), instance, raise_on_error=False)
            return result, warnings_of(instance, result.run_id)

    return run


def test_a_new_observer_is_one_entry(observed):
    noted = Noted()
    result, _ = observed(lambda: None, noted)
    assert result.success
    assert noted.calls == [
        ("start", "bank/raw_dataset", 1),
        ("succeeded", "bank/raw_dataset", 1, ""),
        ("run succeeded",),
    ]


def test_each_attempt_of_a_step_has_its_own_events(observed):
    noted = Noted()

    def fail():
        raise SpecError("no", where="here")

    observed(fail, noted, retry_policy=dg.RetryPolicy(max_retries=1, delay=0))
    assert noted.calls == [
        ("start", "bank/raw_dataset", 1),
        ("retried", "bank/raw_dataset", 1, "spec_invalid"),
        ("start", "bank/raw_dataset", 2),
        ("failed", "bank/raw_dataset", 2, "spec_invalid"),
        ("run failed",),
    ]


def test_a_step_that_a_run_leaves_open_was_aborted(observed):
    noted, events = Noted(), []

    def watch(definition, watcher):
        events.append(watcher)
        return definition

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(observing, "executor_watched", watch)
        observed(lambda: None, noted)
    [watcher] = events
    start = SimpleNamespace(step_key="bank__raw_dataset", event_type=dg.DagsterEventType.STEP_START)
    run = dg.DagsterRun(job_name="any")
    passed_on = watcher(None, run, SimpleNamespace(), iter([start, start]))
    next(passed_on)
    passed_on.close()
    assert noted.calls[-2:] == [("aborted", "bank/raw_dataset", 1, ""), ("run failed",)]


@pytest.mark.parametrize("failing", ["step_started", "step_ended", "run_ended"])
def test_an_observer_that_fails_costs_no_run_and_is_logged_once(failing, observed):
    noted, tried = Noted(), []

    def broken(_):
        tried.append(failing)
        raise OSError("https://user:swordfish@example.org is down")

    setattr(noted, failing, broken)
    result, warnings = observed(lambda: None, noted, retry_policy=dg.RetryPolicy(max_retries=1, delay=0))
    assert result.success
    assert tried == [failing]
    assert len(noted.calls) == ["step_started", "step_ended", "run_ended"].index(failing)
    [warning] = [each for each in warnings if "Toy" in each]
    assert warning == "Toy (ASSAY_TOY) gets no further events of this run, which goes on: OSError"


def test_an_observer_that_hangs_costs_a_run_some_seconds_at_most(observed, monkeypatch):
    noted, over = Noted(), delivery.threading.Event()
    monkeypatch.setattr(delivery.Delivery.close, "__defaults__", (0.2,))
    noted.step_started = lambda _: over.wait(60)
    result, warnings = observed(lambda: None, noted)
    over.set()
    assert result.success
    assert [each for each in warnings if "Toy" in each] == [
        "Toy (ASSAY_TOY) did not take everything within 0.2 s",
    ]


def test_no_tool_gets_events_unless_a_setting_names_it():
    assert OBSERVERS
    assert observers_of(Settings()) == ()
    assert observed_executor(dg.in_process_executor, Settings(), dict) is dg.in_process_executor


def test_an_observed_executor_keeps_its_name_and_how_many_steps_it_takes_at_once():
    settings = Settings(executor="forkserver", max_concurrent=3, openlineage_url="events.jsonl")
    executor = observed_executor(executor_for(settings), settings, dict)
    assert executor.name == "forkserver"
    config = executor.apply_config_mapping({"config": {}}).value["config"]
    assert config["max_concurrent"] == 3
    assert "forkserver" in config["start_method"]


@pytest.mark.parametrize("kind", OBSERVERS, ids=lambda kind: kind.name)
def test_a_missing_package_is_refused_when_definitions_are_loaded(kind, monkeypatch):
    known = tuple(each for each in ALL_ON if each.startswith(kind.setting.removeprefix("ASSAY_").lower()))
    assert known
    settings = Settings(**{name: ALL_ON[name] for name in known})
    assert observers_of(settings) == (kind,)
    monkeypatch.setattr(opening, "find_spec", lambda name: None if name == kind.module else object())
    with pytest.raises(SettingError, match="is not installed") as refused:
        observers_of(settings)
    assert refused.value.where == kind.setting
    assert f"pip install 'assay[{kind.extra}]'" in refused.value.remedy


ALL_ON = {"openlineage_url": "events.jsonl", "otlp_url": "http://collector:4318", "wandb": "offline"}


# OpenLineage


def test_lineage_events_go_to_a_file(bank):
    path = Path("data/lineage/events.jsonl")
    run = executed(bank, *GATE, openlineage_url=str(path))
    assert run.success
    assert run.warnings == []
    events = lines_of(path)
    assert said(events) == [
        ("bank/raw_dataset", "START"),
        ("bank/raw_dataset", "COMPLETE"),
        ("bank/validated_dataset", "START"),
        ("bank/validated_dataset", "COMPLETE"),
    ]
    store = f"{bank.settings.home}/store"
    raw, validated = ("file", f"{store}/bank/raw_dataset"), ("file", f"{store}/bank/validated_dataset")
    assert [names(each["inputs"]) for each in events] == [
        [],
        [("file", str(Path("data/bank.csv").absolute()))],
        [raw],
        [raw],
    ]
    assert [names(each["outputs"]) for each in events] == [[], [raw], [], [validated]]
    assert {each["run"]["facets"]["parent"]["run"]["runId"] for each in events} == {run.id}
    of_steps = [each["run"]["runId"] for each in events]
    assert of_steps[0] == of_steps[1] != of_steps[2] == of_steps[3]
    assert {each["job"]["namespace"] for each in events} == {"assay"}
    assert tags_of(events[0]) == {
        "pipeline": "bank",
        "attempt": "1",
        "dagster_run": f"http://localhost:3000/runs/{run.id}",
    }


def test_lineage_has_columns_rows_and_version(bank):
    executed(bank, *GATE, openlineage_url="events.jsonl")
    [made] = lines_of(Path("events.jsonl"))[-1]["outputs"]
    columns = {each["name"]: each["type"] for each in made["facets"]["schema"]["fields"]}
    assert columns["age"] == "int64"
    assert made["outputFacets"]["outputStatistics"]["rowCount"] == 200
    assert re.fullmatch("[0-9a-f]{64}", made["facets"]["version"]["datasetVersion"])


def test_a_refusal_is_a_failure_in_lineage_without_values_of_the_data(bank):
    source = Path("data/bank.csv")
    source.write_text(source.read_text().replace(",admin,", ",astronaut,"))
    assert not executed(bank, *GATE, openlineage_url="events.jsonl").success
    events = lines_of(Path("events.jsonl"))
    assert said(events)[-1] == ("bank/validated_dataset", "FAIL")
    message = events[-1]["run"]["facets"]["errorMessage"]["message"]
    assert message.startswith("[gate_rejected] ")
    assert events[-1]["outputs"] == []
    assert "astronaut" not in json.dumps(events)


def test_what_a_step_only_observes_is_no_output_of_it():
    observation = dg.AssetObservation("model", metadata={"MLflow run": "abc"})
    noted = Noted()
    delivery_of = SimpleNamespace(send=lambda call: call(noted), close=lambda: None)
    steps = observing.Steps(SimpleNamespace(), {}, [delivery_of])
    noted.step_ended = lambda ended: noted.calls.append((ended.made, ended.mlflow_runs))
    for kind, data in (("STEP_START", None), ("ASSET_OBSERVATION", observation), ("STEP_SUCCESS", None)):
        steps.note(
            SimpleNamespace(
                step_key="bank__evaluation_report",
                event_type=dg.DagsterEventType(kind),
                asset_observation_data=SimpleNamespace(asset_observation=data),
                event_specific_data=None,
            )
        )
    assert noted.calls[-1] == ((), ("abc",))


def test_lineage_of_an_experiment_is_below_its_space(bank):
    executed(bank, *GATE, parameters={"random_state": 5}, openlineage_url="events.jsonl")
    last = lines_of(Path("events.jsonl"))[-1]
    [(_, name)] = names(last["outputs"])
    assert f"/store/@spaces/{tags_of(last)['space']}/bank/validated_dataset" in name


def test_lineage_events_are_posted_with_the_key(bank, web):
    run = executed(bank, GATE[0], openlineage_url=web.url, openlineage_key=openlineage_key("swordfish"))
    assert run.success
    assert [json.loads(body)["eventType"] for _, body in web.posts] == ["START", "COMPLETE"]
    assert {headers["Authorization"] for headers, _ in web.posts} == {"Bearer swordfish"}
    logs = " ".join(each.user_message for each in bank.instance.all_logs(run.id))
    assert "swordfish" not in logs


def openlineage_key(text):
    return Settings(openlineage_key=text).openlineage_key


def test_a_receiver_of_lineage_that_refuses_costs_no_run(bank, web):
    web.statuses = [503]
    run = executed(bank, *GATE, openlineage_url=web.url)
    assert run.success
    assert len(web.posts) == 1
    [warning] = run.warnings
    assert warning.startswith("OpenLineage (ASSAY_OPENLINEAGE_URL) gets no further events")
    assert warning.endswith("HTTPError, status 503")


def test_a_receiver_of_lineage_that_does_not_answer_is_left_soon(bank, web, monkeypatch):
    monkeypatch.setattr(openlineage_events, "_SECONDS", 0.1)
    web.statuses = [0]
    run = executed(bank, GATE[0], openlineage_url=web.url)
    assert run.success
    assert run.warnings[0].endswith("ReadTimeout")


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("s3://rows/2024/a.csv", ("s3://rows", "2024/a.csv")),
        ("https://data.example.org/a.csv", ("https://data.example.org", "a.csv")),
        ("/srv/a.csv", ("file", "/srv/a.csv")),
    ],
)
def test_datasets_are_named_as_openlineage_says(address, place):
    assert openlineage_events.dataset_of(address) == place


def test_an_address_with_credentials_is_refused_for_lineage():
    with pytest.raises(SettingError, match="ASSAY_OPENLINEAGE_URL"):
        Settings(openlineage_url="https://user:swordfish@example.org")


# OpenTelemetry


def spans_of(web):
    """The spans that a collector gets, decoded, and the resources that they name."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    found, resources = [], []
    for _, body in web.posts:
        for each in ExportTraceServiceRequest.FromString(body).resource_spans:
            resources.append(attributes_of(each.resource))
            found += [span for scope in each.scope_spans for span in scope.spans]
    return found, resources


def attributes_of(span):
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_a_run_is_one_trace_whose_id_is_the_runs(bank, web):
    run = executed(bank, *GATE, otlp_url=web.url, otlp_headers=Settings(otlp_headers="x-key=swordfish").otlp_headers)
    assert run.success
    assert run.warnings == []
    spans, resources = spans_of(web)
    assert {headers["x-key"] for headers, _ in web.posts} == {"swordfish"}
    assert {span.trace_id.hex() for span in spans} == {run.id.replace("-", "")}
    raw, validated, whole = spans
    assert [span.name for span in (raw, validated)] == list(GATE)
    assert raw.parent_span_id == validated.parent_span_id == whole.span_id
    assert whole.parent_span_id == b""
    assert attributes_of(raw) == {
        "assay.pipeline": "bank",
        "assay.attempt": 1,
        "assay.outcome": "succeeded",
        "assay.rows": 200,
    }
    assert attributes_of(whole) == {
        "assay.outcome": "succeeded",
        "assay.page": f"http://localhost:3000/runs/{run.id}",
    }
    assert whole.start_time_unix_nano <= raw.start_time_unix_nano < raw.end_time_unix_nano
    assert raw.end_time_unix_nano <= validated.start_time_unix_nano < validated.end_time_unix_nano
    assert validated.end_time_unix_nano <= whole.end_time_unix_nano
    assert resources[0]["service.name"] == "assay"


def test_a_trace_has_the_code_of_an_error_and_no_values_of_the_data(bank, web):
    source = Path("data/bank.csv")
    source.write_text(source.read_text().replace(",admin,", ",astronaut,"))
    assert not executed(bank, *GATE, otlp_url=f"{web.url}/v1/traces").success
    [_, refused, whole] = spans_of(web)[0]
    assert attributes_of(refused) == {
        "assay.pipeline": "bank",
        "assay.attempt": 1,
        "assay.outcome": "failed",
        "error.type": "gate_rejected",
    }
    assert [refused.status.code, whole.status.code] == [2, 2]
    assert attributes_of(whole)["assay.outcome"] == "failed"
    assert not any(b"astronaut" in body for _, body in web.posts)


def in_processes():
    """A job whose steps are executed in processes of their own; these do not know of the collector."""

    @dg.op
    def own_process():
        return str(os.getpid())

    settings = Settings(otlp_url=os.environ["OTLP_OF_TEST"])

    @dg.job(executor_def=observed_executor(dg.multiprocess_executor, settings, dict), name="in_processes")
    def job():
        own_process()

    return job


def test_steps_in_processes_of_their_own_are_in_the_runs_trace(web, tmp_path):
    run_id, pid = traced_in_processes(web, tmp_path)
    spans, _ = spans_of(web)
    assert pid != os.getpid()
    assert {span.trace_id.hex() for span in spans} == {run_id.replace("-", "")}
    assert sorted(span.name for span in spans) == ["in_processes", "own_process"]


def traced_in_processes(web, folder):
    with pytest.MonkeyPatch.context() as patch, dg.instance_for_test(temp_dir=str(folder)) as instance:
        patch.setenv("OTLP_OF_TEST", web.url)
        with dg.execute_job(dg.reconstructable(in_processes), instance) as result:
            assert result.success
            return result.run_id, int(result.output_for_node("own_process"))


def test_a_collector_that_refuses_costs_no_run(bank, web):
    web.statuses = [400]
    run = executed(bank, *GATE, otlp_url=web.url)
    assert run.success
    assert len(web.posts) == 1
    [warning] = run.warnings
    assert warning.startswith("OpenTelemetry (ASSAY_OTLP_URL) gets no further events")


def test_headers_of_a_collector_are_checked_and_not_quoted():
    with pytest.raises(SettingError, match="ASSAY_OTLP_HEADERS") as refused:
        Settings(otlp_headers="swordfish")
    assert "swordfish" not in str(refused.value)


# Weights & Biases


def wandb_records(path):
    """The records of a file that `wandb sync` reads: LevelDB's log format, 7 bytes of header, parts in blocks of 32 KiB."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, record = path.read_bytes(), 7, b""
    assert data[:4] == b":W&B"
    while at < len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        length, part = struct.unpack_from("<HB", data, at + 4)
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if part in {1, 4}:  # whole, or the last part
            yield Record.FromString(record)
            record = b""


def updated(items):
    return {(item.key or ".".join(item.nested_key)): json.loads(item.value_json) for item in items}


def test_a_training_is_mirrored_to_weights_and_biases_without_a_network(promoted):
    parameters = {"tuning": {"n_trials": 2}, "space": "production"}
    names = [f"bank/{name}" for name in ("best_hyperparameters", "trained_model", "evaluation_report")]
    run = executed(promoted, *names, parameters=parameters, wandb="offline")
    assert run.success
    assert run.warnings == []
    [file] = (promoted.settings.home / "wandb").glob("offline-run-*/*.wandb")
    records = list(wandb_records(file))
    [mirrored] = [each.run for each in records if each.HasField("run")]
    tracked = newest_mlflow_run(promoted.settings.tracking_uri)
    assert mirrored.run_id == tracked.info.run_id
    assert mirrored.project == "assay-bank"
    assert list(mirrored.tags) == ["bank"]
    config = updated(mirrored.config.update)
    assert tracked.data.params.items() <= config.items()
    assert config["mlflow_tags"]["data_digest"] == tracked.data.tags["data_digest"]
    assert config["mlflow_run"] == mirrored.notes
    assert tracked.info.run_id in config["mlflow_run"]
    assert config["dagster_run"] == f"http://localhost:3000/runs/{run.id}"
    summary = updated(item for each in records for item in each.summary.update)
    assert "holdout_roc_auc" in summary
    assert {name: summary[name] for name in tracked.data.metrics} == pytest.approx(tracked.data.metrics)
    history = [updated(each.history.item) for each in records if each.HasField("history")]
    assert len([each for each in history if "trial_value" in each]) == 2
    [exit_record] = [each.exit for each in records if each.HasField("exit")]
    assert exit_record.exit_code == 0


def newest_mlflow_run(tracking_uri):
    client = connect(tracking_uri)
    experiment = client.get_experiment_by_name("assay/bank")
    return client.search_runs([experiment.experiment_id], order_by=["attributes.start_time DESC"], max_results=1)[0]


def test_what_tracks_nothing_is_not_mirrored(bank):
    run = executed(bank, GATE[0], wandb="offline")
    assert run.success
    assert run.warnings == []
    assert not (bank.settings.home / "wandb").exists()
