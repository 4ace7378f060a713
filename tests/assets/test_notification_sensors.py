"""People are told of what happened in runs: once, in words, and whatever becomes of a channel."""

import json
import time

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from small_platform import BANK, bank_rows, failure, write_csv
from web_receiver import web_receiver

from assay.errors import GateRejectedError
from definitions import build_definitions
from ml_assets.notifications.run_events import notifications_of
from resources.mlflow.connection import connect
from resources.mlflow.models import DIGEST_TAG
from resources.mlflow.registry import CHAMPION, PREVIOUS
from resources.settings import Settings

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
GATED = dg.AssetKey(["bank", "validated_dataset"])
ALARM_STATES = ("features_not_drifted", "no_drift_alarm_begins", "performance_held", "no_performance_alarm_begins")
MARCH = dg.StaticPartitionsDefinition(["2021-03"])
CHECKED = dg.AssetKey(["bank", "drift_report"])


@pytest.fixture
def web():
    with web_receiver() as receiver:
        yield receiver


@pytest.fixture
def telling(platform, web):
    """The platform with a webhook."""
    settings = platform.settings.model_dump() | {"notify_webhook_url": web.url, "ui_url": "http://ui/"}
    platform.settings = Settings(**settings)
    return platform


def sensor_of(platform):
    [sensor] = [sensor for sensor in platform.definitions.sensors if sensor.name == "notification_sensor"]
    return sensor


def tick(platform, cursor=None):
    """Look once; return the cursor."""
    with dg.build_sensor_context(instance=platform.instance, cursor=cursor) as context:
        return sensor_of(platform)(context).cursor


def told(web):
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
    """As a window tells it in which alarms go on that began before."""
    yield dg.Output(None)
    for name in ALARM_STATES:
        passed = name.endswith("_begins")
        yield dg.AssetCheckResult(check_name=name, passed=passed, severity=dg.AssetCheckSeverity.WARN)


@dg.asset(key=GATED, check_specs=[dg.AssetCheckSpec("schema", asset=GATED, blocking=False)])
def refusing_a_part():
    """As a run over a range of partitions tells it, one of which is refused."""
    yield dg.AssetCheckResult(check_name="schema", passed=False, severity=dg.AssetCheckSeverity.ERROR)
    yield dg.Output(None)


@dg.asset(key=["bank", "trained_model"], deps=[GATED])
def refusing_to_learn():
    raise GateRejectedError("the newest data was rejected by the gate")


@dg.asset(key=["bank", "odd"])
def failing_untyped():
    raise ValueError("could not convert 'swordfish'")


def test_a_refusal_of_the_gate_is_one_notification_with_rules_and_report(telling, web, tmp_path):
    rows = bank_rows()
    for row in rows[:3]:
        row["age"] = 200
    telling.pipeline(BANK, write_csv(tmp_path / "data" / "bank.csv", rows))
    cursor = tick(telling)
    assert not telling.materialize("bank/raw_dataset", "bank/validated_dataset").success
    tick(telling, cursor)
    [notification] = told(web)
    assert (notification["kind"], notification["pipeline"]) == ("gate_refused", "bank")
    assert notification["title"] == "The gate refused the data of bank"
    assert notification["lines"][0] == "values_in_range: 3 rows"
    assert notification["lines"][1].startswith("report: ")
    assert (tmp_path / notification["lines"][1].removeprefix("report: ")).exists()
    assert notification["link"] == "http://ui/assets/bank/validated_dataset?view=checks&checkDetail=values_in_range"
    assert "200" not in notification["title"] + notification["lines"][0]


def test_a_refusal_is_told_even_where_the_run_goes_on(telling, web):
    cursor = tick(telling)
    assert run_assets(telling, refusing_a_part).success
    tick(telling, cursor)
    assert [notification["kind"] for notification in told(web)] == ["gate_refused"]


def test_what_fails_for_the_refusal_is_not_told_again_and_what_fails_for_itself_is(telling, web):
    cursor = tick(telling)
    run_assets(telling, refusing_a_part, refusing_to_learn)
    cursor = tick(telling, cursor)
    assert [notification["kind"] for notification in told(web)] == ["gate_refused"]
    run_assets(telling, refusing_a_part, failing_untyped)
    cursor = tick(telling, cursor)
    assert [notification["kind"] for notification in told(web)][1:] == ["gate_refused", "run_failed"]
    run_assets(telling, refusing_to_learn)
    tick(telling, cursor)
    assert told(web)[-1]["lines"][0].startswith("[gate_rejected]")


def test_a_failed_run_is_told_by_its_typed_error(telling, web, tmp_path):
    telling.pipeline(BANK, tmp_path / "missing.csv")
    cursor = tick(telling)
    result = telling.materialize("bank/raw_dataset")
    assert "[source_not_found]" in failure(result)
    tick(telling, cursor)
    [notification] = told(web)
    assert (notification["kind"], notification["pipeline"]) == ("run_failed", "bank")
    assert notification["lines"][0].startswith("[source_not_found] ")
    assert any(line.startswith("where: ") and "missing.csv" in line for line in notification["lines"])
    assert any(line.startswith("remedy: ") for line in notification["lines"])
    assert notification["lines"][-1] == "step: bank__raw_dataset"
    assert notification["link"] == f"http://ui/runs/{result.run_id}"
    assert "Traceback" not in notification["text"]


def test_of_an_untyped_error_no_value_is_told(telling, web):
    cursor = tick(telling)
    run_assets(telling, failing_untyped)
    tick(telling, cursor)
    [notification] = told(web)
    assert notification["lines"][0] == "[ValueError] see the run for its text and trace"
    assert "swordfish" not in notification["text"]


def test_a_run_whose_process_was_ended_is_told(telling, web):
    run = telling.instance.create_run_for_job(empty_job())
    cursor = tick(telling)
    telling.instance.report_run_failed(run)
    tick(telling, cursor)
    assert told(web)[0]["title"] == "A run of some_job failed"
    assert told(web)[0]["lines"] == ["no step failed: the process may have been killed"]


def empty_job():
    @dg.op
    def nothing():
        pass

    @dg.job(name="some_job")
    def some_job():
        nothing()

    return some_job


def test_a_run_that_dagster_starts_again_is_told_as_that(telling, web):
    run = telling.instance.create_run_for_job(empty_job())
    cursor = tick(telling)
    telling.instance.report_run_failed(run)
    telling.instance.add_run_tags(run.run_id, {"dagster/will_retry": "true"})
    tick(telling, cursor)
    assert told(web)[0]["lines"][-1] == "it will be retried"


def test_alarms_of_a_run_that_succeeds_are_told(telling, web):
    cursor = tick(telling)
    assert run_assets(telling, alarming, partition_key="2021-03").success
    tick(telling, cursor)
    notifications = told(web)
    assert [(notification["kind"], notification["title"], notification["lines"]) for notification in notifications] == [
        ("drift", "bank 2021-03: features have drifted", ["no_drift_alarm_begins: age moved"]),
        ("performance", "bank 2021-03: the champion has lost performance", ["no_performance_alarm_begins: age moved"]),
    ]
    [page] = {notification["link"].partition("?") for notification in notifications}
    assert page == (f"http://ui/assets/{'/'.join(CHECKED.path)}", "?", "view=partitions&partition=2021-03")


def test_an_alarm_that_goes_on_is_not_told_again(telling, web):
    cursor = tick(telling)
    assert run_assets(telling, still_alarmed, partition_key="2021-03").success
    tick(telling, cursor)
    assert not told(web)


def test_an_event_is_told_once_and_history_never(telling, web):
    run_assets(telling, failing_untyped)
    cursor = tick(telling)
    for _ in range(2):
        cursor = tick(telling, cursor)
    assert not web.posts
    run_assets(telling, failing_untyped)
    for _ in range(3):
        cursor = tick(telling, cursor)
    assert len(web.posts) == 1
    run_assets(telling, failing_untyped)
    tick(telling, cursor)
    assert len({notification["event"] for notification in told(web)}) == 2


def test_a_channel_that_is_down_is_told_later(telling, web, monkeypatch):
    cursor = tick(telling)
    run_assets(telling, failing_untyped)
    web.statuses.extend([503] * 3)
    cursor = tick(telling, cursor)
    assert len(json.loads(cursor)["outbox"]) == 1
    posted = len(web.posts)
    assert tick(telling, cursor) == cursor
    assert len(web.posts) == posted
    later = time.time() + 31
    monkeypatch.setattr(time, "time", lambda: later)
    cursor = tick(telling, cursor)
    assert len(web.posts) == posted + 1
    assert not json.loads(cursor)["outbox"]


def test_only_kinds_that_are_asked_for_are_told(telling, web):
    telling.settings = Settings(**telling.settings.model_dump() | {"notify_on": "drift"})
    cursor = tick(telling)
    run_assets(telling, failing_untyped)
    run_assets(telling, alarming, partition_key="2021-03")
    tick(telling, cursor)
    assert [notification["kind"] for notification in told(web)] == ["drift"]


def test_one_run_that_cannot_be_read_silences_no_other(telling, web, monkeypatch):
    from ml_assets.notifications import sensor

    cursor = tick(telling)
    odd = run_assets(telling, failing_untyped).run_id
    run_assets(telling, failing_untyped)

    def reading(instance, run_id, **options):
        if run_id == odd:
            raise KeyError("odd")
        return notifications_of(instance, run_id, **options)

    monkeypatch.setattr(sensor, "notifications_of", reading)
    tick(telling, cursor)
    assert len(web.posts) == 1


def test_a_cursor_of_another_version_begins_anew(telling, web):
    assert json.loads(tick(telling, "{}")) == json.loads(tick(telling))


def test_a_run_that_was_deleted_is_passed_over(telling):
    assert notifications_of(telling.instance, "00000000-0000-0000-0000-000000000000", failed=True, ui_url="") == []


def test_the_sensor_runs_by_itself_only_where_there_is_a_channel_to_tell(telling, platform):
    assert sensor_of(telling).default_status is dg.DefaultSensorStatus.RUNNING
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


def test_promotion_and_roll_back_are_told_and_the_former_champion_is_in_force(telling, web, tmp_path):
    telling.pipeline(BANK, write_csv(tmp_path / "data" / "bank.csv", bank_rows()))
    cursor = tick(telling)
    assert telling.materialize("bank/*").success
    cursor = tick(telling, cursor)
    [notification] = told(web)
    assert (notification["kind"], notification["title"]) == ("promotion", "bank: version 1 is the champion now")
    assert notification["link"] == "http://ui/assets/bank/champion_model"

    registry = telling.definitions.resources["model_registry"]
    refused = failure(roll_back(telling, pipeline="bank"))
    assert "nothing to roll back to" in refused
    second_version(registry)
    assert registry.champion("bank").version == "2"
    cursor = tick(telling, cursor)
    web.posts.clear()

    assert roll_back(telling, pipeline="bank", reason="complaints").output_for_node("roll_back_champion") == "1"
    assert registry.champion("bank").version == "1"
    cursor = tick(telling, cursor)
    [notification] = told(web)
    assert (notification["kind"], notification["title"]) == ("rollback", "bank: rolled back to version 1")
    assert notification["lines"] == ["it replaced version 2", "reason: complaints"]

    assert roll_back(telling, pipeline="bank", version="2").success
    assert registry.champion("bank").version == "2"
    assert "nothing to roll back to" in failure(roll_back(telling, pipeline="bank", version="7"))
    damage_version_1(registry)
    assert "[digest_mismatch]" in failure(roll_back(telling, pipeline="bank", version="1"))
    assert registry.champion("bank").version == "2"
    assert "no champion was ever decided on" in failure(roll_back(telling, pipeline="banc"))


def second_version(registry):
    """Register the same files again as version 2, and promote them."""
    client = connect(registry.tracking_uri)
    first = client.get_model_version("bank", "1")
    client.create_model_version("bank", source=first.source, run_id=first.run_id, tags=dict(first.tags))
    client.set_registered_model_alias("bank", PREVIOUS, "1")
    client.set_registered_model_alias("bank", CHAMPION, "2")


def damage_version_1(registry):
    connect(registry.tracking_uri).set_model_version_tag("bank", "1", DIGEST_TAG, "another")
