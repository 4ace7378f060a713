"""The days of a prediction log: partitions, and the sensor that puts finished days together, late objects included."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from assay.specs import PipelineSpec
from ml_assets.pipeline.run_context import asset_key
from resources.artifacts.logged_days import OBJECTS, PREDICTION_LOG, commit_of_day, digest_of_objects
from resources.artifacts.store import ArtifactStore
from resources.object_store import ObjectStoreResource
from resources.prediction_log import keys_of_day

_SECONDS = 300
_DAY = "%Y-%m-%d"


def days_of(spec: PipelineSpec) -> dg.TimeWindowPartitionsDefinition:
    """Return the partitions of a pipeline's log: days in UTC, today's too."""
    log = spec.serving.log if spec.serving is not None else None
    since = log.since if log is not None else "2026-01-01"
    return dg.DailyPartitionsDefinition(start_date=since, timezone="UTC", fmt=_DAY, end_offset=1)


def day_of(key: str) -> dt.date:
    """Return the day of a partition."""
    return dt.date.fromisoformat(key)


def prediction_log_sensor(spec: PipelineSpec) -> dg.SensorDefinition:
    """Return `<pipeline>_prediction_log_sensor`, which starts a run for each finished day whose objects are others."""
    asset = asset_key(spec, PREDICTION_LOG)

    @dg.sensor(
        name=f"{spec.name}_prediction_log_sensor",
        target=dg.AssetSelection.assets(asset),
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Puts the logged predictions of each finished day together, and again where objects come late.",
    )
    def sensor(object_store: ObjectStoreResource) -> dg.SensorResult:
        requests = [*_requests(spec, ArtifactStore(object_store.open()), dt.datetime.now(dt.UTC).date())]
        skipped = None if requests else "the objects of every finished day are in its partition"
        return dg.SensorResult(run_requests=requests, skip_reason=skipped)

    return sensor


def _requests(spec: PipelineSpec, artifacts: ArtifactStore, today: dt.date) -> Iterator[dg.RunRequest]:
    log = spec.serving.log if spec.serving is not None else None
    first = day_of(log.since) if log is not None else today
    for back in range(log.late_days if log is not None else 0, 0, -1):
        day = today - dt.timedelta(days=back)
        keys = keys_of_day(artifacts.store, spec.name, day) if day >= first else []
        if not keys:
            continue
        digest, newest = digest_of_objects(keys), commit_of_day(artifacts, spec.name, day)
        if newest is None or newest.properties.get(OBJECTS) != digest:
            # the key has the digest, so that a run that fails is not started again and again
            yield dg.RunRequest(run_key=f"{day.isoformat()}-{digest[:16]}", partition_key=day.isoformat())
