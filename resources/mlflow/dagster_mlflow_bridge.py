"""dagster-mlflow's interface over a run of ours.

Its stock resource and hook lose the status of runs (`docs/adr/0001-how-dagster-mlflow-is-used.md`), so only the class
behind them is used: what it logs goes to our run, whose life stays with the tracker.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dagster as dg

from assay.errors import TrackingError
from resources.mlflow.connection import as_tracking_error
from resources.mlflow.tracker import TrackedRun

if TYPE_CHECKING:
    from dagster_mlflow.resources import MlFlow


@contextmanager
def dagster_mlflow_interface(tracked: TrackedRun, context: dg.AssetExecutionContext) -> Iterator["MlFlow"]:
    """Give code written for dagster-mlflow its `mlflow` resource, bound to an open run.

    Inside the block MLflow's own globals point to the run, for this thread; after it no run is active, the tracking
    URI is as before, and the run is still open. MLflow keeps the experiment selected; nothing of ours reads that.
    One block at a time in a process.

    Args:
        tracked: an open run of `MlflowTracker.run`.
        context: the step; its log gets what dagster-mlflow says.

    Raises:
        TrackingError: another run of MLflow's fluent interface is active in this thread, or MLflow refused.
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
        # left RUNNING: the tracker says how it ended; a status given here could hide a failure
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
