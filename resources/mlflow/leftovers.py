"""What processes that were killed left in MLflow: open runs, models logged in part, versions that nobody promoted.

A run that trains the same content adopts them. This module closes those that no run adopts.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from resources.champion_journal import ChampionJournal
from resources.mlflow.connection import all_pages, as_tracking_error, connect
from resources.mlflow.models import MODEL_TAG, UNPROMOTED_TAG, VALUE_TAG
from resources.mlflow.tracker import IDENTITY_TAG, TRIAL_TAG
from resources.store.interface import ObjectStore

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

OwnerState: TypeAlias = Literal["alive", "ended", "unknown"]
_PARENT_TAG = "mlflow.parentRunId"


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Finds and closes leftovers.

    Attributes:
        tracking_uri: MLflow's.
        experiment_prefix: of the experiments that belong to Assay.
        owner: the state of the Dagster run with an id. What an ended run left is closed at once; what an unknown one
            left, such as a command of the shell, is closed by its age.
        older_than_seconds: that age, of unpromoted versions too.
    """

    tracking_uri: str
    experiment_prefix: str
    owner: Callable[[str], OwnerState]
    older_than_seconds: float

    def close_runs(self) -> list[str]:
        """End RUNNING runs as KILLED, and delete models whose logging was cut off; return what was closed.

        Raises:
            TrackingError: MLflow failed.
        """
        client = connect(self.tracking_uri)
        with as_tracking_error(self.tracking_uri, "leftovers cannot be closed"):
            experiments = all_pages(client.search_experiments, filter_string=f"name LIKE '{self.experiment_prefix}/%'")
            return [
                closed
                for experiment in experiments
                for closed in self._closed_in(client, str(experiment.experiment_id))
            ]

    def mark_versions(self, stores: Sequence[ObjectStore]) -> list[str]:
        """Tag registered versions whose promotion did not finish; return them. A later promotion removes the tag.

        Args:
            stores: of every space; one of them has the journal of a registered model.

        Raises:
            TrackingError: MLflow failed.
            StorageError: the store failed.
        """
        client, marked = connect(self.tracking_uri), []
        with as_tracking_error(self.tracking_uri, "versions without a promotion cannot be marked"):
            for model in all_pages(client.search_registered_models):
                versions = list(all_pages(client.search_model_versions, filter_string=f"name = '{model.name}'"))
                candidates = [each for each in versions if self._is_unpromoted(each)]
                champions = self._champions(stores, model.name) if candidates else set()
                for each in candidates:
                    if str(each.version) not in champions:
                        client.set_model_version_tag(model.name, str(each.version), UNPROMOTED_TAG, "true")
                        marked.append(f"{model.name} version {each.version}")
        return marked

    def _closed_in(self, client: "MlflowClient", experiment: str) -> Iterator[str]:
        running = all_pages(
            client.search_runs, experiment_ids=[experiment], filter_string="attributes.status = 'RUNNING'"
        )
        for run in list(running):
            if self._is_left(client, run, run.info.start_time):
                client.set_terminated(run.info.run_id, "KILLED")
                yield f"run {run.info.run_id}"
        for model in list(all_pages(client.search_logged_models, experiment_ids=[experiment])):
            if str(model.status) != "PENDING" or not model.source_run_id:
                continue
            if self._is_left(client, client.get_run(model.source_run_id), model.creation_timestamp):
                client.delete_logged_model(model.model_id)
                yield f"logged model {model.model_id}"

    def _is_left(self, client: "MlflowClient", run: "Run", since_ms: int) -> bool:
        """Return whether a run is one of ours and its owner does not work on it any more."""
        if TRIAL_TAG in run.data.tags and _PARENT_TAG in run.data.tags:
            run = client.get_run(run.data.tags[_PARENT_TAG])
        if IDENTITY_TAG not in run.data.tags:
            return False
        state = self.owner(run.data.tags.get("dagster_run_id", ""))
        return state == "ended" or (state == "unknown" and self._is_old(since_ms))

    def _is_unpromoted(self, version: "ModelVersion") -> bool:
        tags = version.tags
        is_ours = MODEL_TAG in tags and VALUE_TAG not in tags and UNPROMOTED_TAG not in tags
        return is_ours and self._is_old(version.creation_timestamp)

    def _is_old(self, since_ms: int) -> bool:
        return time.time() - since_ms / 1000 > self.older_than_seconds

    @staticmethod
    def _champions(stores: Sequence[ObjectStore], name: str) -> set[str]:
        return {entry.version for store in stores for entry in ChampionJournal(store, name).history().entries}
