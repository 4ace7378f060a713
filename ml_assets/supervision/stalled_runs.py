"""The sensor that ends runs whose process has died, so that they are reported and retried.

Dagster's own run monitoring notices the death of a run's process only while the code server that started it lives.
`run_retries` in `dagster.yaml` starts the run again.
"""

import time
from collections.abc import Mapping

import dagster as dg
from pydantic import ValidationError

from assay.specs.base import Spec
from ml_assets.supervision.run_liveness import Heartbeat, heartbeats

_INTERVAL_SECONDS = 10
_PATIENCE_SECONDS = 35.0
_DEAD = "The process of this run has died: it was killed, or its machine was. Nothing more of it will be published."
_SILENT = f"The process of this run gave no heartbeat for {_PATIENCE_SECONDS:.0f} s. It will publish nothing more."


class LastHeartbeat(Spec):
    """When a run's heartbeat last changed, by the sensor's clock."""

    count: int
    seen_at: float


class HeartbeatsSeen(Spec):
    """The sensor's cursor."""

    runs: dict[str, LastHeartbeat] = {}

    def after(self, beats: Mapping[str, Heartbeat], now: float) -> "HeartbeatsSeen":
        """Return the state after an evaluation; runs that are over are forgotten."""
        return HeartbeatsSeen(
            runs={
                run_id: known
                if (known := self.runs.get(run_id)) is not None and known.count == beat.count
                else LastHeartbeat(count=beat.count, seen_at=now)
                for run_id, beat in beats.items()
            }
        )

    def silent(self, now: float) -> set[str]:
        """Return the runs without a new heartbeat for too long."""
        return {run_id for run_id, last in self.runs.items() if now - last.seen_at > _PATIENCE_SECONDS}


@dg.sensor(
    name="stalled_run_sensor",
    minimum_interval_seconds=_INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends runs whose process died, within a minute; Dagster's run retries start them again.",
)
def stalled_run_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Check the heartbeats of all runs in progress."""
    seen, ended = end_stalled_runs(context.instance, _state_of(context.cursor), time.time())
    context.update_cursor(seen.model_dump_json())
    return dg.SkipReason(f"ended {', '.join(ended)}" if ended else f"{len(seen.runs)} runs in progress have heartbeats")


def end_stalled_runs(
    instance: dg.DagsterInstance, seen: HeartbeatsSeen, now: float
) -> tuple[HeartbeatsSeen, list[str]]:
    """End the runs whose process has died.

    A process of this host is looked up by its number; a run of another host is judged by its heartbeats alone.

    Args:
        instance: where runs and heartbeats are recorded.
        seen: the state after the evaluation before.
        now: seconds, by the clock of this process.

    Returns:
        The new state, and the runs that were ended.
    """
    beats = heartbeats(instance, _in_progress(instance))
    seen = seen.after(beats, now)
    silent = seen.silent(now)
    ended = []
    for run_id, beat in beats.items():
        local = beat.is_of_this_host()
        dead = not beat.process_lives() if local else run_id in silent
        if dead and _end(instance, run_id, _DEAD if local else _SILENT):
            ended.append(run_id)
    return seen, ended


def _in_progress(instance: dg.DagsterInstance) -> list[str]:
    statuses = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    return [run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=statuses))]


def _end(instance: dg.DagsterInstance, run_id: str, why: str) -> bool:
    run = instance.get_run_by_id(run_id)  # it may have ended since it was listed
    if run is None or run.is_finished:
        return False
    if run.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, why)
    else:
        instance.report_run_failed(run, why)
    return True


def _state_of(cursor: str | None) -> HeartbeatsSeen:
    try:
        return HeartbeatsSeen.model_validate_json(cursor or "{}")
    except ValidationError:
        return HeartbeatsSeen()  # written by another version: waiting starts again
