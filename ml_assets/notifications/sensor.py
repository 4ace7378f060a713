"""The sensor that sends notifications of ended runs.

Its cursor holds the runs read so far and the pending deliveries, stored in one step: each event is sent once, also
across restarts. Dagster's own run-failure sensor has no state for pending deliveries.
"""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import dagster as dg

from assay.notifications.notification import Notification
from assay.notifications.outbox import Outbox, outbox_from
from ml_assets.notifications.run_events import notifications_of
from resources.notifications.notifier import Notifier

_End: TypeAlias = Literal[
    dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_CANCELED
]
_RUNS_PER_EVALUATION = 50
_INTERVAL_SECONDS = 30
_ENDS: Mapping[str, _End] = {
    "failure": dg.DagsterEventType.RUN_FAILURE,
    "success": dg.DagsterEventType.RUN_SUCCESS,
    "canceled": dg.DagsterEventType.RUN_CANCELED,
}


@dataclass(frozen=True, slots=True)
class _State:
    """Content of the cursor: the last event read for each final status, and the pending deliveries."""

    seen: Mapping[str, int]
    outbox: Outbox

    def to_cursor(self) -> str:
        return json.dumps({"seen": dict(self.seen), "outbox": self.outbox.to_json()})


def notification_sensor(notifier: Notifier) -> dg.SensorDefinition:
    """Return `notification_sensor`; it is on by default if there is a channel besides the log.

    Args:
        notifier: the deployment's channels. Not a resource, whose fields Dagster would show.
    """
    to_others = len(notifier.names) > 1

    @dg.sensor(
        name="notification_sensor",
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if to_others else dg.DefaultSensorStatus.STOPPED,
        description=f"Sends notifications of failures, promotions and alarms by {', '.join(notifier.names)}.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        state = _state_of(context.cursor, context.instance, context.log)
        seen, notifications = _new_notifications(state, context.instance, notifier, context.log)
        outbox = state.outbox.with_notifications(notifications, notifier.names)
        left = notifier.outbox_after(outbox, time.time(), context.log)
        summary = f"{len(notifications)} new, {len(left.waiting)} deliveries wait"
        return dg.SensorResult(skip_reason=summary, cursor=_State(seen, left).to_cursor())

    return sensor


def _state_of(cursor: str | None, instance: dg.DagsterInstance, log: logging.Logger) -> _State:
    """Read the cursor; the first evaluation starts with the runs that end after it."""
    if not cursor:
        return _new_state(instance)
    try:
        stored = json.loads(cursor)
        return _State({name: int(stored["seen"][name]) for name in _ENDS}, outbox_from(stored["outbox"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        log.error("the cursor cannot be read (%s): it starts over without pending deliveries", type(error).__name__)  # noqa: TRY400 - its text may hold notifications
        return _new_state(instance)


def _new_state(instance: dg.DagsterInstance) -> _State:
    newest = {name: instance.fetch_run_status_changes(end, limit=1).records for name, end in _ENDS.items()}
    return _State({name: records[0].storage_id if records else 0 for name, records in newest.items()}, Outbox())


def _new_notifications(
    state: _State, instance: dg.DagsterInstance, notifier: Notifier, log: logging.Logger
) -> tuple[dict[str, int], list[Notification]]:
    """Return how far the event log was read, and the notifications of the runs that ended since."""
    seen, notifications = dict(state.seen), []
    for name, end in _ENDS.items():
        since = dg.RunStatusChangeRecordsFilter(end, after_storage_id=seen[name])
        for record in instance.fetch_run_status_changes(since, limit=_RUNS_PER_EVALUATION, ascending=True).records:
            seen[name] = record.storage_id
            failed = end is dg.DagsterEventType.RUN_FAILURE
            try:
                found = notifications_of(instance, record.run_id, failed=failed, ui_url=notifier.ui_url)
            except Exception:
                # one unreadable run must not stop the others
                log.exception("the events of run %s cannot be read", record.run_id)
                continue
            notifications += [notification for notification in found if notification.kind in notifier.kinds]
    return seen, notifications
