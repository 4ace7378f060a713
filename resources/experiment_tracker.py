"""Runs in MLflow, one for each training.

A run is opened and closed inside the step, found again by a tag when the step is retried, and ended FAILED by any
exception. MLflow's global "active run" is never used, so that parallel steps and executors cannot mix runs up.
Does not belong here: which facts are worth logging (`ml_assets.tracking`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from assay.errors import TrackerUnavailableError, TrackingError
from assay.specs.base import digest_of
from resources.mlflow_connection import as_tracking_error, connect
from resources.tracked_run import TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

IDENTITY_TAG = "assay.identity"


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What makes a training one MLflow run, however often its step is retried."""

    pipeline: str
    dagster_run_id: str
    asset_key: str
    partition: str | None

    @property
    def tags(self) -> dict[str, str]:
        """The identity, in parts and as one value to search for."""
        whole = digest_of(self.dagster_run_id, self.asset_key, self.partition)
        return {
            IDENTITY_TAG: whole,
            "dagster_run_id": self.dagster_run_id,
            "asset_key": self.asset_key,
            "partition": self.partition or "",
            "mlflow.runName": f"{self.asset_key}{f' {self.partition}' if self.partition else ''}",
        }


class MlflowTracker(dg.ConfigurableResource[None]):
    """Tracks trainings in the experiment `<prefix>/<pipeline>`."""

    tracking_uri: str
    artifact_root: str = ""
    experiment_prefix: str = "assay"
    tags: dict[str, str] = {}

    @contextmanager
    def run(self, identity: RunIdentity, tags: dict[str, str]) -> Iterator[TrackedRun]:
        """Open the run of a training; FINISHED at the end, FAILED on any exception, which goes on.

        Args:
            identity: a run that has it already is opened again.
            tags: further tags.

        Raises:
            TrackerUnavailableError: the server does not answer.
        """
        client = connect(self.tracking_uri)
        with as_tracking_error(self.tracking_uri, "the MLflow run cannot be opened"):
            tracked = self._opened(client, identity, self.tags | tags)
        try:
            yield tracked
        except BaseException as error:
            _end_failed(tracked, error)
            raise
        tracked.end("FINISHED")

    @contextmanager
    def resume(self, run_id: str) -> Iterator[TrackedRun]:
        """Log to a run that has ended, without changing its status.

        Raises:
            TrackingError: there is no such run.
        """
        client = connect(self.tracking_uri)
        with as_tracking_error(self.tracking_uri, f"MLflow has no run {run_id}"):
            found = client.get_run(run_id)
        yield TrackedRun(client, self.tracking_uri, found.info.experiment_id, run_id)

    def _opened(self, client: "MlflowClient", identity: RunIdentity, tags: dict[str, str]) -> TrackedRun:
        experiment = self._experiment(client, identity.pipeline)
        query = f"tags.`{IDENTITY_TAG}` = '{identity.tags[IDENTITY_TAG]}'"
        known = client.search_runs([experiment], query)
        if known:
            run_id = known[0].info.run_id
            client.update_run(run_id, status="RUNNING")
        else:
            run_id = client.create_run(experiment, tags=tags | identity.tags).info.run_id
            known = client.search_runs([experiment], query)
        # a request whose answer was lost is sent again by MLflow, and makes a second, empty run
        for twin in known:
            if twin.info.run_id != run_id:
                client.delete_run(twin.info.run_id)
        return TrackedRun(client, self.tracking_uri, experiment, run_id)

    def _experiment(self, client: "MlflowClient", pipeline: str) -> str:
        from mlflow.exceptions import MlflowException

        name = f"{self.experiment_prefix}/{pipeline}"
        known = client.get_experiment_by_name(name)
        if known is None:
            location = f"{self.artifact_root}/{pipeline}" if self.artifact_root else None
            try:
                created: str = client.create_experiment(name, artifact_location=location)
            except MlflowException:
                known = client.get_experiment_by_name(name)
                if known is None:  # not a race with another step: the server refused
                    raise
            else:
                return created
        experiment: str = known.experiment_id
        return experiment


def _end_failed(tracked: TrackedRun, error: BaseException) -> None:
    """End a run FAILED; an outage of the tracker must not hide the failure itself."""
    if isinstance(error, TrackerUnavailableError):
        return  # to ask a dead server again would only cost its deadline twice
    try:
        tracked.end("FAILED")
    except TrackingError as outage:
        error.add_note(f"MLflow still shows run {tracked.run_id} as running: {outage}")
