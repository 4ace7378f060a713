"""Runs whose process died are ended; live runs, and runs whose state cannot be determined, are left alone."""

import os
import subprocess

import dagster as dg
import pytest
from small_platform import failure

from assay.errors import RunAbandonedError
from ml_assets.supervision.run_liveness import (
    HeartbeatsSeen,
    born,
    end_stalled_runs,
    own_heartbeat,
    record_heartbeat,
    require_wanted,
    stalled_run_sensor,
)
from resources.artifacts.store import ArtifactStore

STARTED, FAILURE = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE


@dg.job
def idle():
    pass


def run_with(instance, beat=None):
    run = instance.create_run_for_job(idle, status=STARTED)
    if beat is not None:
        record_heartbeat(instance, run.run_id, beat)
    return run.run_id


def status(instance, run_id):
    return instance.get_run_by_id(run_id).status


def elsewhere(count):
    return own_heartbeat(count).model_copy(update={"host": "another"})


def test_a_run_whose_process_is_gone_from_this_machine_is_ended_at_the_first_evaluation(instance):
    ended = subprocess.Popen(["true"])
    ended.wait()
    run_id = run_with(instance, own_heartbeat(1).model_copy(update={"pid": ended.pid}))
    _, ended = end_stalled_runs(instance, HeartbeatsSeen(), now=0)
    assert ended == [run_id]
    assert status(instance, run_id) == FAILURE


def test_a_process_that_took_over_the_number_is_not_taken_for_the_run(instance):
    run_id = run_with(instance, own_heartbeat(1).model_copy(update={"born": "1"}))
    end_stalled_runs(instance, HeartbeatsSeen(), now=0)
    assert status(instance, run_id) == FAILURE


def test_a_process_that_has_ended_and_was_not_waited_for_is_dead():
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    assert born(zombie.pid) == ""
    zombie.wait()


def test_a_run_of_this_machine_that_is_busy_for_long_lives(instance):
    run_id = run_with(instance, own_heartbeat(1))
    seen, _ = end_stalled_runs(instance, HeartbeatsSeen(), now=0)
    assert end_stalled_runs(instance, seen, now=1000)[1] == []
    assert status(instance, run_id) == STARTED


def test_a_run_of_another_machine_is_ended_when_it_has_no_new_heartbeat_for_too_long(instance):
    run_id = run_with(instance, elsewhere(1))
    seen, _ = end_stalled_runs(instance, HeartbeatsSeen(), now=1000)
    seen, _ = end_stalled_runs(instance, seen, now=1034)
    assert status(instance, run_id) == STARTED
    record_heartbeat(instance, run_id, elsewhere(2))
    seen, _ = end_stalled_runs(instance, seen, now=1040)
    seen, _ = end_stalled_runs(instance, seen, now=1070)
    assert status(instance, run_id) == STARTED
    seen, ended = end_stalled_runs(instance, seen, now=1080)
    assert ended == [run_id]
    assert end_stalled_runs(instance, seen, now=1090)[0].runs == {}


def test_a_run_that_never_recorded_a_heartbeat_is_left_alone(instance):
    run_id = run_with(instance)
    seen, _ = end_stalled_runs(instance, HeartbeatsSeen(), now=0)
    end_stalled_runs(instance, seen, now=1e6)
    assert status(instance, run_id) == STARTED


def test_the_cursor_holds_the_heartbeats_and_an_unknown_one_starts_again(instance):
    run_with(instance, elsewhere(7))
    with dg.build_sensor_context(instance=instance, cursor="from another version") as context:
        stalled_run_sensor(context)
        assert HeartbeatsSeen.model_validate_json(context.cursor).runs.popitem()[1].count == 7


@pytest.mark.parametrize("end", ["report_run_failed", "report_run_canceled", "report_run_canceling"])
def test_a_run_that_is_over_is_refused(instance, end):
    run_id = run_with(instance)
    require_wanted(instance, run_id, where="here")
    getattr(instance, end)(instance.get_run_by_id(run_id))
    with pytest.raises(RunAbandonedError, match="run_abandoned"):
        require_wanted(instance, run_id, where="here")


@pytest.mark.parametrize("asset", ["raw_dataset", "validated_dataset"])
def test_a_run_that_was_declared_dead_publishes_nothing(bank, monkeypatch, asset):
    """Neither by its output, nor by the verdict that the gate's body publishes itself."""
    assert bank.materialize("bank/raw_dataset").success
    before = commits(bank, asset)
    upload = ArtifactStore._upload

    def declared_dead_meanwhile(self, name, partition, attempt, files):
        bank.instance.report_run_failed(bank.instance.get_run_by_id(attempt.run_id))
        return upload(self, name, partition, attempt, files)

    monkeypatch.setattr(ArtifactStore, "_upload", declared_dead_meanwhile)
    result = bank.materialize(f"bank/{asset}")
    assert "[run_abandoned]" in failure(result)
    assert commits(bank, asset) == before


def commits(platform, asset):
    names = (asset, "validation_report")
    return [len(platform.artifacts.log.history(("bank", name), None)) for name in names]


def test_the_sensor_is_evaluated_every_ten_seconds():
    assert stalled_run_sensor.minimum_interval_seconds == 10
