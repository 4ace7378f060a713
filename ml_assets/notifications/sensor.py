"""The sensor that sends notifications of ended runs, made from Dagster's event log with links to the user interface.

Its cursor holds the runs read so far and the pending deliveries, stored in one step: each event is sent once, also
across restarts. Dagster's own run-failure sensor has no state for pending deliveries. A refusal of the gate is reported
as such; the failures that it causes are not reported again.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias
from urllib.parse import quote, urlencode

import dagster as dg

from assay.errors import GateRejectedError, SerialisedError
from assay.markdown import plain
from assay.notifications.notification import Notification, NotificationKind
from assay.notifications.outbox import Outbox, outbox_from
from assay.notifications.wording import (
    EndedRun,
    FailedRule,
    alarmed,
    approval_asked,
    approved,
    gate_refused,
    promoted,
    rollback_proposed,
    rolled_back,
    run_failed,
    withdrawn,
)
from ml_assets.assets.champion_model import CHAMPION_ASSET, champion_change
from ml_assets.assets.evaluation_report import GAVE_UP_CHECK
from ml_assets.dagster_internals import RunTags, error_of, run_tags_of
from ml_assets.pipeline.experiments import is_experiment
from ml_assets.pipeline.gate_checks import GateFailure, gate_failure
from ml_assets.stages import alarm_checks
from ml_assets.step_errors import error_chain, root_error
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


def run_page(ui_url: str, run_id: str) -> str:
    """Return the address of a run's page."""
    return f"{ui_url}/runs/{quote(run_id)}"


def asset_page(ui_url: str, key: dg.AssetKey, partition: str | None = None) -> str:
    """Return the address of an asset's page, or of one of its partitions."""
    page = f"{ui_url}/assets/{'/'.join(quote(part, safe='') for part in key.path)}"
    return f"{page}?{urlencode({'view': 'partitions', 'partition': partition})}" if partition else page


def check_page(ui_url: str, check: dg.AssetCheckKey) -> str:
    """Return the address of a check's page."""
    return f"{asset_page(ui_url, check.asset_key)}?{urlencode({'view': 'checks', 'checkDetail': check.name})}"


GATED = frozenset({"raw_dataset", "validated_dataset"})
# these checks fail when an alarm starts: a continuing alarm is no new event
ALARMS = {check: NotificationKind(name) for name, (_, check) in alarm_checks().items()} | {
    GAVE_UP_CHECK: NotificationKind.BELOW_MINIMUM
}
_CHAMPION_TEXTS: Mapping[str, Callable[..., Notification]] = {
    "promoted": promoted,
    "rolled_back": rolled_back,
    "withdrawn": withdrawn,
    "approved": approved,
}
_QUESTIONS: Mapping[str, Callable[..., Notification]] = {
    "needs_approval": approval_asked,
    "rollback_proposed": rollback_proposed,
}
_Event = dg.DagsterEventType
_READ = {_Event.STEP_FAILURE, _Event.ASSET_CHECK_EVALUATION, _Event.ASSET_MATERIALIZATION, _Event.ASSET_OBSERVATION}


@dataclass(frozen=True, slots=True)
class RunLog:
    """One run's events.

    Attributes:
        events: of the kinds that notifications are made of, in order.
        again: whether Dagster retries the run.
    """

    run: EndedRun
    ui_url: str
    events: Sequence[dg.DagsterEvent]
    again: bool

    def of(self, kind: dg.DagsterEventType) -> list[dg.DagsterEvent]:
        """Return the events of one kind."""
        return [event for event in self.events if event.event_type == kind]

    def failed_checks(self) -> list[dg.AssetCheckEvaluation]:
        """Return the failed evaluations."""
        checks = [event.asset_check_evaluation_data for event in self.of(_Event.ASSET_CHECK_EVALUATION)]
        return [check for check in checks if not check.passed]

    def champion_events(self) -> Iterator[tuple[dg.AssetMaterialization | dg.AssetObservation, str | None]]:
        """Yield the events of champions, with their partitions; experiments have none."""
        for event in self.events:
            asset: dg.AssetMaterialization | dg.AssetObservation | None = None
            if event.event_type == _Event.ASSET_MATERIALIZATION:
                asset = event.step_materialization_data.materialization
            elif event.event_type == _Event.ASSET_OBSERVATION:
                asset = event.asset_observation_data.asset_observation
            is_champion = asset is not None and asset.asset_key.path[-1] == CHAMPION_ASSET
            if asset is not None and is_champion and not is_experiment(asset):
                yield asset, event.partition

    def run_of(self, key: dg.AssetKey, partition: str | None = None) -> EndedRun:
        """Return the run with the pipeline of an asset, and the partition if it is known."""
        return replace(self.run, pipeline=key.path[0], partition=partition or self.run.partition)

    def page(self, key: dg.AssetKey, partition: str | None) -> str:
        """Return the address of an asset's page, or of its partition."""
        return asset_page(self.ui_url, key, partition)


def notifications_of(instance: dg.DagsterInstance, run_id: str, *, failed: bool, ui_url: str) -> list[Notification]:
    """Return the notifications of one run."""
    run = instance.get_run_by_id(run_id)
    if run is None:  # it was deleted
        return []
    records = instance.get_records_for_run(run_id, of_type=_READ).records
    tags = run_tags_of(run)
    ended = EndedRun(
        run_id=run_id,
        job=run.job_name,
        pipeline=run.tags.get("pipeline", run.job_name),
        partition=_partition(tags),
        page=run_page(ui_url, run_id),
    )
    events = [event for record in records if (event := record.event_log_entry.dagster_event)]
    log = RunLog(ended, ui_url, events, again=tags.will_be_retried)
    refusals = _refusals(log)
    failures = _failure(log, refused=set(refusals)) if failed else []
    return [*_champions(log), *_alarms(log), *(_refusal(log, *found) for found in refusals.items()), *failures]


def _champions(log: RunLog) -> Iterator[Notification]:
    for asset, partition in log.champion_events():
        change = champion_change(asset)
        if change is None:
            continue
        run, page = log.run_of(asset.asset_key, partition), log.page(asset.asset_key, partition)
        if text := _CHAMPION_TEXTS.get(change.outcome):
            yield text(run, change.version or "none", change.previous_version or "none", change.reason, page)
        elif change.proposed_version and (question := _QUESTIONS.get(change.outcome)):
            yield question(run, change.version or "none", change.proposed_version, change.reason, page)


def _alarms(log: RunLog) -> Iterator[Notification]:
    for check in log.failed_checks():
        if kind := ALARMS.get(check.check_name):
            run = log.run_of(check.asset_key, check.partition)
            yield alarmed(run, kind, plain(check.description or ""), log.page(check.asset_key, check.partition))


def _refusal(log: RunLog, key: dg.AssetKey, checks: Sequence[dg.AssetCheckEvaluation]) -> Notification:
    partitions = ", ".join(dict.fromkeys(check.partition for check in checks if check.partition))
    page = check_page(log.ui_url, checks[0].asset_check_key)
    # earlier versions recorded no failure
    failures = [gate_failure(check) or GateFailure(rows={check.check_name: 0}, report="") for check in checks]
    return gate_refused(log.run_of(key, partitions), _rules(failures), failures[0].report, page)


def _failure(log: RunLog, refused: AbstractSet[dg.AssetKey]) -> list[Notification]:
    """Return the notification of the first failed step; none where the gate's refusal caused every failure."""
    steps = log.of(_Event.STEP_FAILURE)
    gates = {key.to_python_identifier() for key in refused}
    own = [step for step in steps if step.step_key not in gates and not _is_refusal(_error(step))]
    if refused and not own:
        return []
    failed = own or steps
    if not failed:
        return [run_failed(log.run, "", None, again=log.again)]
    step = failed[0].step_key or ""
    # a step's key joins the parts of its asset's key by two underscores
    pipeline = step.rpartition("__")[0] or log.run.pipeline
    return [run_failed(replace(log.run, pipeline=pipeline), step, _error(failed[0]), again=log.again)]


def _is_refusal(error: SerialisedError | None) -> bool:
    return error is not None and error.code == GateRejectedError.code


def _refusals(log: RunLog) -> dict[dg.AssetKey, list[dg.AssetCheckEvaluation]]:
    """Return the gate's blocking checks that failed, by asset."""
    found: dict[dg.AssetKey, list[dg.AssetCheckEvaluation]] = {}
    for check in log.failed_checks():
        if check.asset_key.path[-1] in GATED and check.severity == dg.AssetCheckSeverity.ERROR:
            found.setdefault(check.asset_key, []).append(check)
    return found


def _rules(failures: Sequence[GateFailure]) -> list[FailedRule]:
    """Return each rule once, with its failing rows over all partitions of the run."""
    rows: Counter[str] = Counter()
    for failure in failures:
        rows.update(failure.rows)
    return [FailedRule(name, count or None) for name, count in rows.items()]


def _error(event: dg.DagsterEvent) -> SerialisedError | None:
    return root_error(error_chain(error_of(event)))


def _partition(tags: RunTags) -> str:
    if tags.partition_range:
        first, last = tags.partition_range
        return first if first == last else f"{first} to {last}"
    return tags.partition or ""


@dataclass(frozen=True, slots=True)
class _State:
    """Content of the cursor: the last event read for each final status, and the pending deliveries."""

    seen: Mapping[str, int]
    outbox: Outbox

    def to_cursor(self) -> str:
        return json.dumps({"seen": dict(self.seen), "outbox": self.outbox.to_json()})


def notification_sensor(notifier: Notifier) -> dg.SensorDefinition:
    """Return `notification_sensor`; it is on by default if there is a channel besides the log."""
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
