"""The resource `mlflow`: dagster-mlflow's interface for a user's own assets, over runs of our tracker.

The stock resource and hook of dagster-mlflow lose the status of runs (`docs/adr/0001-how-dagster-mlflow-is-used.md`).
Here a run is opened and closed inside the step, by the tracker; of dagster-mlflow the class `MlFlow` is used.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dagster as dg

from assay.errors import TrackingError
from resources.mlflow.connection import as_tracking_error
from resources.mlflow.tracker import MlflowTracker, RunIdentity, TrackedRun

if TYPE_CHECKING:
    from dagster_mlflow.resources import MlFlow


class MlflowAssetRuns(dg.ConfigurableResource[None]):
    """Opens an MLflow run for a step of a user's own asset."""

    tracker: dg.ResourceDependency[MlflowTracker]

    @contextmanager
    def run(self, context: dg.AssetExecutionContext, tags: Mapping[str, str] | None = None) -> Iterator["MlFlow"]:
        """Give dagster-mlflow's interface, bound to the step's run: FINISHED at the end, FAILED on any exception.

        The run is tagged with Dagster run, asset key and partition, and a retry of the step opens it again. Its
        experiment is `<prefix>/<first component of the asset key>`. One such block at a time in a process.

        Raises:
            TrackerUnavailableError: the server does not answer.
            TrackingError: a run of MLflow's fluent interface is active, or MLflow refused.
        """
        identity = RunIdentity(
            pipeline=context.asset_key.path[0],
            dagster_run_id=context.run.run_id,
            asset_key=context.asset_key.to_user_string(),
            partition=context.partition_key if context.has_partition_key else None,
        )
        with self.tracker.run(identity, dict(tags or {})) as tracked, _interface(tracked, context) as interface:
            yield interface


@contextmanager
def _interface(tracked: TrackedRun, context: dg.AssetExecutionContext) -> Iterator["MlFlow"]:
    """Bind dagster-mlflow's interface to an open run.

    MLflow's globals point to the run inside the block. After it no run is active, the tracking URI is as before, and
    the run is still open. MLflow keeps the selected experiment; nothing of ours reads it.
    """
    import mlflow
    from dagster_mlflow.resources import MlFlow

    _require_no_active_run(tracked)
    before: Any = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None  # type: ignore[no-untyped-call]
    try:
        with as_tracking_error(tracked.tracking_uri, "dagster-mlflow's interface cannot be opened"):
            interface = MlFlow(_init_context(tracked, context))  # type: ignore[no-untyped-call]
        yield interface
    finally:
        # left RUNNING: the tracker sets the final status, so that a failure stays visible
        mlflow.end_run(status="RUNNING")
        mlflow.set_tracking_uri(before)


def _init_context(tracked: TrackedRun, context: dg.AssetExecutionContext) -> SimpleNamespace:
    """Return what `MlFlow` reads of Dagster's context for the initialisation of resources."""
    experiment = tracked.client.get_experiment(tracked.experiment_id)
    # MlFlow names the run after the job; the run keeps its own name
    name = tracked.client.get_run(tracked.run_id).info.run_name
    return SimpleNamespace(
        log=context.log,
        run_id=context.run.run_id,
        dagster_run=SimpleNamespace(job_name=name),
        resource_config={
            "experiment_name": experiment.name,
            "mlflow_tracking_uri": tracked.tracking_uri,
            "mlflow_run_id": tracked.run_id,
        },
    )


def _require_no_active_run(tracked: TrackedRun) -> None:
    """Refuse an active run: dagster-mlflow would silently log to it instead."""
    import mlflow

    active = mlflow.active_run()
    if active is not None:
        raise TrackingError(
            "a run of MLflow's fluent interface is active already",
            where=f"run {tracked.run_id}",
            found=f"active run {active.info.run_id}",
            remedy="end it with mlflow.end_run() before this block",
        )
