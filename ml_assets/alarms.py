"""The sensor that retrains when drift or wear begins: once for each alarm, not for each window of it.

It is a sensor, since an alarm on one asset starts a run of six others, and a condition of theirs would also have to
hold for every other reason they run for.
Does not belong here: when an alarm begins (`assay.monitoring`).
"""

from collections.abc import Iterator

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assay.specs import PipelineSpec
from ml_assets.presentation.monitoring import RISING
from ml_assets.run_context import asset_key

_REPORTS = {"drift": "drift_report", "performance": "performance_report"}
_EVENTS_PER_TICK = 50


def alarm_sensor(spec: PipelineSpec, job: UnresolvedAssetJobDefinition) -> dg.SensorDefinition:
    """Return `<pipeline>_alarm_sensor`."""
    watched = {kind: asset_key(spec, _REPORTS[kind]) for kind in spec.automation.retrain_on if kind in _REPORTS}

    @dg.sensor(
        name=f"{spec.name}_alarm_sensor",
        job=job,
        minimum_interval_seconds=spec.automation.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Retrains {spec.name} when an alarm of {' or '.join(watched)} begins.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        seen = int(context.cursor or 0)
        records = sorted(
            (record for key in watched.values() for record in _reports_after(context.instance, key, seen)),
            key=lambda record: record.storage_id,
        )
        requests = [request for record in records for request in _requests(record)]
        reason = None if requests else f"no alarm began in {len(records)} new reports"
        newest = max((record.storage_id for record in records), default=seen)
        return dg.SensorResult(run_requests=requests, skip_reason=reason, cursor=str(newest))

    return sensor


def _reports_after(instance: dg.DagsterInstance, key: dg.AssetKey, seen: int) -> list[dg.EventLogRecord]:
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, after_storage_id=seen), limit=_EVENTS_PER_TICK, ascending=True
    )
    return list(found.records)


def _requests(record: dg.EventLogRecord) -> Iterator[dg.RunRequest]:
    made = record.asset_materialization
    if made is None or RISING not in made.metadata or not made.metadata[RISING].value:
        return
    asset = made.asset_key.to_user_string()
    yield dg.RunRequest(
        run_key=f"{asset}@{made.partition or ''}:{record.storage_id}",
        partition_key=made.partition,
        tags={"assay/alarm": asset},
    )
