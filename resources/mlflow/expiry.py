"""The retention policy for versions and runs in MLflow."""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resources.champion_journal import ChampionJournal
from resources.mlflow.connection import all_pages, as_tracking_error, connect
from resources.mlflow.models import MODEL_TAG
from resources.mlflow.tracker import IDENTITY_TAG
from resources.store.expiry import RetentionPolicy
from resources.store.interface import ObjectStore

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MILLISECONDS = 1000
_PARENT_TAG = "mlflow.parentRunId"


@dataclass(frozen=True, slots=True)
class TrackedVersion:
    """A registered version."""

    name: str
    version: str

    def __str__(self) -> str:
        """Return name and version, for people."""
        return f"{self.name} version {self.version}"


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run of a training that has ended."""

    experiment_id: str
    run_id: str

    def __str__(self) -> str:
        """Return the id, for people."""
        return f"MLflow run {self.run_id}"


@dataclass(frozen=True, slots=True)
class TrackedRetention:
    """Deletes versions, and ended runs of trainings with their logged models, beyond a policy.

    Versions count for each registered model, runs for each experiment. These stay, whatever the policy: versions that
    the champion journal names, have an alias, or that Assay did not register; runs of versions that stay, of models in
    the artifact store, and those that ended less than `grace` seconds ago. MLflow keeps the files of what is deleted
    until `mlflow gc`.

    Attributes:
        tracking_uri: MLflow's.
        experiment_prefix: of the experiments that belong to Assay.
        policy: what stays.
        grace: seconds.
        stores: of all spaces, with the champion journals.
    """

    tracking_uri: str
    experiment_prefix: str
    policy: RetentionPolicy
    grace: float
    stores: Sequence[ObjectStore]

    def beyond(self, runs_in_use: Collection[str]) -> list[TrackedVersion | EndedRun]:
        """Return the versions and runs that go.

        Args:
            runs_in_use: runs that stay because others refer to them.

        Raises:
            TrackingError: MLflow failed.
            StorageError: the store failed.
        """
        if self.policy.keeps_all:
            return []
        client, in_use, going = connect(self.tracking_uri), set(runs_in_use), list[TrackedVersion | EndedRun]()
        with as_tracking_error(self.tracking_uri, "what is beyond the retention policy cannot be found"):
            for model in all_pages(client.search_registered_models):
                for version, goes in self._versions(client, str(model.name), dict(model.aliases)):
                    if goes:
                        going.append(TrackedVersion(str(model.name), str(version.version)))
                    else:
                        in_use.add(str(version.run_id))
            found = all_pages(client.search_experiments, filter_string=f"name LIKE '{self.experiment_prefix}/%'")
            for experiment in list(found):
                going += self._runs(client, str(experiment.experiment_id), in_use)
        return going

    def remove(self, going: Collection[TrackedVersion | EndedRun]) -> None:
        """Delete what `beyond` has returned.

        Raises:
            TrackingError: MLflow failed; called again, `beyond` returns what is left.
        """
        client = connect(self.tracking_uri)
        with as_tracking_error(self.tracking_uri, "what is beyond the retention policy cannot be deleted"):
            for each in going:
                if isinstance(each, EndedRun):
                    _delete_run(client, each)
                else:
                    client.delete_model_version(each.name, each.version)

    def _versions(self, client: "MlflowClient", name: str, aliases: dict[str, Any]) -> Iterator[tuple[Any, bool]]:
        """Yield every version of a model, and whether it goes."""
        journals = [ChampionJournal(store, name) for store in self.stores]
        named = {entry.version for journal in journals for entry in journal.history().entries}
        named |= {str(version) for version in aliases.values()}
        found = list(all_pages(client.search_model_versions, filter_string=f"name = '{name}'"))
        for position, version in enumerate(sorted(found, key=lambda each: int(each.version), reverse=True)):
            created, now = version.creation_timestamp / _MILLISECONDS, time.time()
            ours = MODEL_TAG in version.tags and str(version.version) not in named
            yield version, ours and now - created >= self.grace and self.policy.lets_go(position, created, now)

    def _runs(self, client: "MlflowClient", experiment: str, in_use: Collection[str]) -> Iterator[EndedRun]:
        found = all_pages(client.search_runs, experiment_ids=[experiment], order_by=["start_time DESC"])
        trainings = [run for run in found if IDENTITY_TAG in run.data.tags and run.info.status != "RUNNING"]
        for position, run in enumerate(trainings):
            run_id, now = str(run.info.run_id), time.time()
            ended = (run.info.end_time or run.info.start_time) / _MILLISECONDS
            if run_id not in in_use and now - ended >= self.grace and self.policy.lets_go(position, ended, now):
                yield EndedRun(experiment, run_id)


def _delete_run(client: "MlflowClient", ended: EndedRun) -> None:
    """Delete a run after its trials and its logged models, so that a stopped call leaves none of them alone."""
    experiments, run_id = [ended.experiment_id], ended.run_id
    trials = all_pages(
        client.search_runs, experiment_ids=experiments, filter_string=f"tags.`{_PARENT_TAG}` = '{run_id}'"
    )
    for trial in list(trials):
        client.delete_run(trial.info.run_id)
    models = all_pages(
        client.search_logged_models, experiment_ids=experiments, filter_string=f"source_run_id = '{run_id}'"
    )
    for model in list(models):
        client.delete_logged_model(model.model_id)
    client.delete_run(run_id)
