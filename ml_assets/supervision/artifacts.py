"""The artifact store as steps see it: supervised, and closed to runs that are over.

Does not belong here: storage (`resources.artifacts.io_manager`).
"""

from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from ml_assets.supervision.step import supervised
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.store import ArtifactStore, Attempt
from resources.run_liveness import require_wanted


class SupervisedArtifacts(ArtifactIOManager):
    """Loads inputs and publishes outputs within the step's time, again after a failure that passes.

    Right before a value becomes visible the run must still be wanted. The instance and the store are two systems: a
    process that is stopped between the question and the conditional put that follows it, for longer than it takes to
    declare its run dead, is not caught.
    """

    _instance: dg.DagsterInstance | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Remember the instance that knows the runs."""
        self._instance = context.instance

    def artifacts(self) -> ArtifactStore:
        """Return the store; outside of runs there is nothing to ask for."""
        store = super().artifacts()
        store.before_publishing = self._require_wanted
        return store

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Publish an asset's value, as `ArtifactIOManager` does.

        Raises:
            RunAbandonedError: the run is over.
            StepTimeoutError: the step's time is up.
        """
        with supervised(context.step_context):
            super().handle_output(context, obj)

    def load_input(self, context: dg.InputContext) -> Any:
        """Read upstream partitions, as `ArtifactIOManager` does.

        Raises:
            StepTimeoutError: the step's time is up.
        """
        with supervised(context.step_context):
            return super().load_input(context)

    def _require_wanted(self, attempt: Attempt) -> None:
        if self._instance is not None:
            require_wanted(self._instance, attempt.run_id, where=f"attempt {attempt.attempt_id}")
