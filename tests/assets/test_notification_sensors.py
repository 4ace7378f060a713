"""Events of runs become notifications, once each, also when a channel is down."""

import json
import time
from pathlib import Path

import dagster as dg
import pytest
from champions import promote_the_same_files_again
from dagster._core.remote_representation.external_data import RepositorySnap
from small_platform import BANK, bank_rows, failure, write_csv

from assay.errors import GateRejectedError
from definitions import build_definitions
from ml_assets.notifications.sensor import notifications_of
from resources.mlflow.connection import connect
from resources.settings import Settings

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
GATED = dg.AssetKey(["bank", "validated_dataset"])
ALARM_STATES = ("features_not_drifted", "no_drift_alarm_begins", "performance_held", "no_performance_alarm_begins")
MARCH = dg.StaticPartitionsDefinition(["2021-03"])
CHECKED = dg.AssetKey(["bank", "drift_report"])


@pytest.fixture
def notifying(platform, web):
    """The platform with a webhook."""
    settings = platform.settings.model_dump() | {"notify_webhook_url": web.url, "ui_url": "http://ui/"}
    platform.settings = Settings(**settings)
    return platform


def sensor_of(platform):
    [sensor] = [sensor for sensor in platform.definitions.sensors if sensor.name == "notification_sensor"]
    return sensor


def evaluate(platform, cursor=None):
    """Evaluate the sensor once; return the cursor."""
    with dg.build_sensor_context(instance=platform.instance, cursor=cursor) as context:
        return sensor_of(platform)(context).cursor


def posted(web):
    return [json.loads(body) for _, body in web.posts]


def run_assets(platform, *assets, **options):
    return dg.materialize(list(assets), instance=platform.instance, raise_on_error=False, run_config=QUIET, **options)


@dg.asset(
    key=CHECKED,
    check_specs=[dg.AssetCheckSpec(name, asset=CHECKED, partitions_def=MARCH) for name in ALARM_STATES],
    partitions_def=MARCH,
)
def alarming():
    yield dg.Output(None)
    for name in ALARM_STATES:
        yield dg.AssetCheckResult(
            check_name=name, passed=False, severity=dg.AssetCheckSeverity.WARN, description=f"{name}: age moved"
        )


@dg.asset(
    key=CHECKED,
    check_specs=[dg.AssetCheckSpec(name, asset=CHECKED) for name in ALARM_STATES],
    partitions_def=dg.StaticPartitionsDefinition(["2021-03"]),
)
def still_alarmed():
    """A window in which earlier alarms continue."""
    yield dg.Output(None)
    for name in ALARM_STATES:
        passed = name.endswith("_begins")
        yield dg.AssetCheckResult(check_name=name, passed=passed, severity=dg.AssetCheckSeverity.WARN)


@dg.asset(key=GATED, check_specs=[dg.AssetCheckSpec("schema", asset=GATED, blocking=False)])
def refusing_a_part():
    """A range run with one refused partition."""
    yield dg.AssetCheckResult(check_name="schema", passed=False, severity=dg.AssetCheckSeverity.ERROR)
    yield dg.Output(None)


@dg.asset(key=["bank", "trained_model"], deps=[GATED])
def refusing_to_learn():
    raise GateRejectedError("the newest data was rejected by the gate")


@dg.asset(key=["bank", "odd"])
def failing_untyped():
    raise ValueError("could not convert 'swordfish'")


def test_a_refusal_of_the_gate_is_one_notification_with_rules_and_report(notifying, web, tmp_path):
    rows = bank_rows()
    for row in rows[:3]:
        row["age"] = 200
    notifying.pipeline(BANK, write_csv(tmp_path / "data" / "bank.csv", rows))
    cursor = evaluate(notifying)
    assert not notifying.materialize("bank/raw_dataset", "bank/validated_dataset").success
    evaluate(notifying, cursor)
    [notification] = posted(web)
    assert (notification["kind"], notification["pipeline"]) == ("gate_refused", "bank")
    assert notification["title"] == "The gate refused the data of bank"
    assert notification["lines"][0] == "values_in_range: 3 rows"
    assert notification["lines"][1].startswith("report: ")
    assert (tmp_path / notification["lines"][1].removeprefix("report: ")).exists()
    assert notification["link"] == "http://ui/assets/bank/validated_dataset?view=checks&checkDetail=values_in_range"
    assert "200" not in notification["title"] + notification["lines"][0]


def test_a_refusal_is_reported_even_if_the_run_succeeds(notifying, web):
    cursor = evaluate(notifying)
    assert run_assets(notifying, refusing_a_part).success
    evaluate(notifying, cursor)
    assert [notification["kind"] for notification in posted(web)] == ["gate_refused"]


def test_failures_caused_by_a_refusal_are_not_reported_and_others_are(notifying, web):
    cursor = evaluate(notifying)
    run_assets(notifying, refusing_a_part, refusing_to_learn)
    cursor = evaluate(notifying, cursor)
    assert [notification["kind"] for notification in posted(web)] == ["gate_refused"]
    run_assets(notifying, refusing_a_part, failing_untyped)
    cursor = evaluate(notifying, cursor)
    assert [notification["kind"] for notification in posted(web)][1:] == ["gate_refused", "run_failed"]
    run_assets(notifying, refusing_to_learn)
    evaluate(notifying, cursor)
    assert posted(web)[-1]["lines"][0].startswith("[gate_rejected]")


def test_a_failed_run_is_reported_by_its_typed_error(notifying, web, tmp_path):
    notifying.pipeline(BANK, tmp_path / "missing.csv")
    cursor = evaluate(notifying)
    result = notifying.materialize("bank/raw_dataset")
    assert "[source_not_found]" in failure(result)
    evaluate(notifying, cursor)
    [notification] = posted(web)
    assert (notification["kind"], notification["pipeline"]) == ("run_failed", "bank")
    assert notification["lines"][0].startswith("[source_not_found] ")
    assert any(line.startswith("where: ") and "missing.csv" in line for line in notification["lines"])
    assert any(line.startswith("remedy: ") for line in notification["lines"])
    assert notification["lines"][-1] == "step: bank__raw_dataset"
    assert notification["link"] == f"http://ui/runs/{result.run_id}"
    assert "Traceback" not in notification["text"]


def test_an_untyped_error_is_reported_without_values(notifying, web):
    cursor = evaluate(notifying)
    run_assets(notifying, failing_untyped)
    evaluate(notifying, cursor)
    [notification] = posted(web)
    assert notification["lines"][0] == "[ValueError] see the run for its text and trace"
    assert "swordfish" not in notification["text"]


def test_a_run_whose_process_was_killed_is_reported(notifying, web):
    run = notifying.instance.create_run_for_job(empty_job())
    cursor = evaluate(notifying)
    notifying.instance.report_run_failed(run)
    evaluate(notifying, cursor)
    assert posted(web)[0]["title"] == "A run of some_job failed"
    assert posted(web)[0]["lines"] == ["no step failed: the process may have been killed"]


def empty_job():
    @dg.op
    def nothing():
        pass

    @dg.job(name="some_job")
    def some_job():
        nothing()

    return some_job


def test_a_run_that_dagster_retries_says_so(notifying, web):
    run = notifying.instance.create_run_for_job(empty_job())
    cursor = evaluate(notifying)
    notifying.instance.report_run_failed(run)
    notifying.instance.add_run_tags(run.run_id, {"dagster/will_retry": "true"})
    evaluate(notifying, cursor)
    assert posted(web)[0]["lines"][-1] == "it will be retried"


def test_alarm_starts_are_reported(notifying, web):
    cursor = evaluate(notifying)
    assert run_assets(notifying, alarming, partition_key="2021-03").success
    evaluate(notifying, cursor)
    notifications = posted(web)
    assert [(notification["kind"], notification["title"], notification["lines"]) for notification in notifications] == [
        ("drift", "bank 2021-03: rows or predictions have drifted", ["no_drift_alarm_begins: age moved"]),
        ("performance", "bank 2021-03: the champion is degraded", ["no_performance_alarm_begins: age moved"]),
    ]
    [page] = {notification["link"].partition("?") for notification in notifications}
    assert page == (f"http://ui/assets/{'/'.join(CHECKED.path)}", "?", "view=partitions&partition=2021-03")


def test_a_continuing_alarm_is_not_reported(notifying, web):
    cursor = evaluate(notifying)
    assert run_assets(notifying, still_alarmed, partition_key="2021-03").success
    evaluate(notifying, cursor)
    assert not posted(web)


def test_an_event_is_reported_once_and_history_never(notifying, web):
    run_assets(notifying, failing_untyped)
    cursor = evaluate(notifying)
    for _ in range(2):
        cursor = evaluate(notifying, cursor)
    assert not web.posts
    run_assets(notifying, failing_untyped)
    for _ in range(3):
        cursor = evaluate(notifying, cursor)
    assert len(web.posts) == 1
    run_assets(notifying, failing_untyped)
    evaluate(notifying, cursor)
    assert len({notification["event"] for notification in posted(web)}) == 2


def test_deliveries_of_a_channel_that_is_down_are_retried(notifying, web, monkeypatch):
    cursor = evaluate(notifying)
    run_assets(notifying, failing_untyped)
    web.statuses.extend([503] * 3)
    cursor = evaluate(notifying, cursor)
    assert len(json.loads(cursor)["outbox"]) == 1
    posted = len(web.posts)
    assert evaluate(notifying, cursor) == cursor
    assert len(web.posts) == posted
    later = time.time() + 31
    monkeypatch.setattr(time, "time", lambda: later)
    cursor = evaluate(notifying, cursor)
    assert len(web.posts) == posted + 1
    assert not json.loads(cursor)["outbox"]


def test_only_the_chosen_kinds_are_reported(notifying, web):
    notifying.settings = Settings(**notifying.settings.model_dump() | {"notify_on": "drift"})
    cursor = evaluate(notifying)
    run_assets(notifying, failing_untyped)
    run_assets(notifying, alarming, partition_key="2021-03")
    evaluate(notifying, cursor)
    assert [notification["kind"] for notification in posted(web)] == ["drift"]


def test_a_run_that_cannot_be_read_stops_no_other(notifying, web, monkeypatch):
    from ml_assets.notifications import sensor

    cursor = evaluate(notifying)
    odd = run_assets(notifying, failing_untyped).run_id
    run_assets(notifying, failing_untyped)

    def reading(instance, run_id, **options):
        if run_id == odd:
            raise KeyError("odd")
        return notifications_of(instance, run_id, **options)

    monkeypatch.setattr(sensor, "notifications_of", reading)
    evaluate(notifying, cursor)
    assert len(web.posts) == 1


def test_a_cursor_of_another_version_starts_over(notifying, web):
    assert json.loads(evaluate(notifying, "{}")) == json.loads(evaluate(notifying))


def test_a_deleted_run_is_skipped(notifying):
    assert notifications_of(notifying.instance, "00000000-0000-0000-0000-000000000000", failed=True, ui_url="") == []


def test_the_sensor_is_on_by_default_only_with_a_channel(notifying, platform):
    assert sensor_of(notifying).default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor_of(Quiet(platform.settings)).default_status is dg.DefaultSensorStatus.STOPPED


class Quiet:
    """The same platform without a channel."""

    def __init__(self, settings):
        self.definitions = build_definitions(
            Settings(**settings.model_dump(exclude={"notify_webhook_url"}), notify_webhook_url="")
        )


def test_what_dagster_shows_of_the_code_location_holds_no_secret(platform):
    secrets = {
        "notify_webhook_url": "https://hooks.example.org/swordfish",
        "notify_webhook_secret": "swordfish",
        "notify_slack_url": "https://slack.example.org/swordfish",
        "notify_email_to": "ann@example.org",
        "notify_email_from": "assay@example.org",
        "notify_smtp_url": "smtp://ann:swordfish@mail.example.org",
    }
    definitions = build_definitions(Settings(**platform.settings.model_dump() | secrets))
    snapshot = dg.serialize_value(RepositorySnap.from_def(definitions.get_repository_def()))
    assert "notification_sensor" in snapshot
    assert "swordfish" not in snapshot


def roll_back(platform, **config):
    job = platform.definitions.resolve_job_def("champion_rollback_job")
    run_config = {"ops": {"roll_back_champion": {"config": config}}, **QUIET}
    return job.execute_in_process(instance=platform.instance, run_config=run_config, raise_on_error=False)


def test_promotion_and_roll_back_are_reported_and_the_former_champion_is_current(notifying, web, tmp_path):
    notifying.pipeline(BANK, write_csv(tmp_path / "data" / "bank.csv", bank_rows()))
    cursor = evaluate(notifying)
    assert notifying.materialize("bank/*").success
    cursor = evaluate(notifying, cursor)
    [notification] = posted(web)
    assert (notification["kind"], notification["title"]) == ("promotion", "bank: version 1 is the champion now")
    assert notification["link"] == "http://ui/assets/bank/champion_model"

    registry = notifying.resources["model_registry"]
    refused = failure(roll_back(notifying, pipeline="bank"))
    assert "nothing to roll back to" in refused
    promote_the_same_files_again(registry, "bank")
    assert registry.champion("bank").version == "2"
    cursor = evaluate(notifying, cursor)
    web.posts.clear()

    assert roll_back(notifying, pipeline="bank", reason="complaints").output_for_node("roll_back_champion") == "1"
    assert registry.champion("bank").version == "1"
    cursor = evaluate(notifying, cursor)
    [notification] = posted(web)
    assert (notification["kind"], notification["title"]) == ("rollback", "bank: rolled back to version 1")
    assert notification["lines"] == ["it replaced version 2", "reason: complaints"]

    assert roll_back(notifying, pipeline="bank", version="2").success
    assert registry.champion("bank").version == "2"
    assert "nothing to roll back to" in failure(roll_back(notifying, pipeline="bank", version="7"))
    damage_version_1(registry)
    assert "[digest_mismatch]" in failure(roll_back(notifying, pipeline="bank", version="1"))
    assert registry.champion("bank").version == "2"
    assert "did you mean 'bank'?" in failure(roll_back(notifying, pipeline="banc"))


def damage_version_1(registry):
    source = connect(registry.tracking_uri).get_model_version("bank", "1").source
    manifest = Path(source.removeprefix("file://")) / "bundle" / "manifest.json"
    manifest.write_text(manifest.read_text() + " ")
