"""Trained models in MLflow: logged with a run, and registered as versions.

A logged model is a model for `mlflow.pyfunc.load_model` (`resources.mlflow.flavour`) around Assay's own bundle, which
Assay loads after all files were verified against the artifact store's record. Registering the same content again makes
no second version.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import TrackingError
from assay.results.bundle import bundle_digest
from assay.results.trained_model import ModelManifest, TrainedModel
from assay.scratch import scratch_folder
from resources.mlflow.flavour import save_flavour
from resources.mlflow.logged_models import BUNDLE, LoggedFiles, LoggedModelRecords
from resources.mlflow.names import allowed_name
from resources.mlflow.registered_names import describe_registered

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion

DIGEST_TAG = "assay.bundle_digest"
MODEL_TAG = "assay.logged_model"
VALUE_TAG = "assay.holdout_value"
REPORT_TAG = "assay.report"
"""Address of the report, of a run and of a registered version."""
UNPROMOTED_TAG = "assay.unpromoted"
MLFLOW_VERSIONS = "mlflow.modelVersions"
_LONGEST_PARAMETER = 500


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A version in the registry; `files_digest` is empty where the store has no record of all its files."""

    name: str
    version: str
    digest: str
    files_digest: str = ""


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A trained model as the artifact store has published it.

    Attributes:
        model: the model.
        digest: of its bundle.
        write: writes the bundle's files into a folder.
        stored: whether a commit of the store vouches for the digest; then MLflow's copy needs a record as well.
    """

    model: TrainedModel
    digest: str
    write: Callable[[Path], object]
    stored: bool = True

    @classmethod
    def of(cls, model: TrainedModel) -> "PublishedModel":
        """Return a model that was fitted in this process and that no commit names."""
        from assay.learning.persistence import save_model

        with scratch_folder("bundle") as folder:
            save_model(model, Path(folder))
            digest = bundle_digest(Path(folder))
        return cls(model, digest, lambda target: save_model(model, target), stored=False)


@dataclass(frozen=True, slots=True)
class ModelsOfRun:
    """The logged models of one MLflow run.

    Attributes:
        client: MLflow's.
        experiment_id: of the run.
        run_id: of the run.
        records: digests of what was logged; nothing is recorded unless given.
    """

    client: "MlflowClient"
    experiment_id: str
    run_id: str
    records: LoggedModelRecords | None = None

    def log(self, published: PublishedModel) -> "LoggedModel":
        """Return the run's logged model of that content; it is logged if missing.

        Models of the run whose logging was cut off are removed. The record is written before the model is ready.
        """
        from mlflow.entities import LoggedModelOutput
        from mlflow.entities.logged_model_status import LoggedModelStatus

        known = self._ready(published)
        if known is not None:
            return known
        for each in self._all():
            if str(each.status) == "PENDING":
                self.client.delete_logged_model(each.model_id)
        with scratch_folder("mlflow") as name:
            bundle, flavour = Path(name) / BUNDLE, Path(name) / "flavour"
            published.write(bundle)
            save_flavour(published.model, flavour, bundle)
            bundle.rename(flavour / BUNDLE)
            created = self.client.create_logged_model(
                self.experiment_id,
                name=_shown_name(published.model.manifest),
                source_run_id=self.run_id,
                tags={DIGEST_TAG: published.digest},
                params=_shown_parameters(published.model.manifest),
                model_type=str(published.model.manifest.task),
            )
            self.client.log_model_artifacts(created.model_id, str(flavour))
            if self.records is not None:
                self.records.write(created.model_id, LoggedFiles.of(flavour))
        ready = self.client.finalize_logged_model(created.model_id, LoggedModelStatus.READY)
        self.client.log_outputs(self.run_id, [LoggedModelOutput(created.model_id, step=0)])
        return ready

    def log_with_files(self, published: PublishedModel) -> "LoggedModel":
        """Do the same; a model whose files were deleted is logged again, since the artifact store has it."""
        from mlflow.artifacts import list_artifacts

        model = self.log(published)
        # by its address: the client remembers where it found a model's files before
        if list_artifacts(artifact_uri=model.artifact_location, tracking_uri=self.client.tracking_uri):
            return model
        self.client.delete_logged_model(model.model_id)
        return self.log(published)

    def _ready(self, published: PublishedModel) -> "LoggedModel | None":
        """Return the finished model with that content.

        The artifact store's record says what a model holds; a tag counts only for a model without a record, and only
        where no commit vouches for the digest.
        """
        ready = [each for each in self._all() if str(each.status) == "READY"]
        for each in ready:
            record = self.records.read(each.model_id) if self.records is not None else None
            if record is not None and record.bundle == published.digest:
                return each
        if self.records is not None and published.stored:
            return None
        return next((each for each in ready if each.tags.get(DIGEST_TAG) == published.digest), None)

    def newest(self) -> "LoggedModel | None":
        """Return the finished model that was logged last; None where the run has none."""
        ready = [each for each in self._all() if str(each.status) == "READY"]
        return max(ready, key=lambda each: each.creation_timestamp, default=None)

    def _all(self) -> "list[LoggedModel]":
        query = f"source_run_id = '{self.run_id}'"
        return list(self.client.search_logged_models([self.experiment_id], filter_string=query))


def _shown_name(manifest: ModelManifest) -> str:
    """Return the name of a logged model: pipeline and newest partition, without the characters that MLflow refuses."""
    return re.sub(r"[/:.%\"'\s]+", "-", "-".join(filter(None, (manifest.pipeline, manifest.partition))))


def _shown_parameters(manifest: ModelManifest) -> dict[str, str]:
    """Return family and hyperparameters, by which the Models tab compares."""
    facts = {"family": manifest.family, **manifest.parameters, "train_rows": manifest.train_rows}
    return {allowed_name(name): str(value)[:_LONGEST_PARAMETER] for name, value in facts.items()}


def registered(
    client: "MlflowClient", name: str, card: str, published: PublishedModel, records: LoggedModelRecords
) -> tuple["ModelVersion", LoggedFiles | None]:
    """Register the model that a run logged as a version; it is logged first if MLflow does not hold it.

    Returns:
        The version, with the card as its description, and the record of its files; the same content gets no second
        version.

    Raises:
        TrackingError: the run was deleted.
    """
    run_id = published.model.manifest.annotations["mlflow_run_id"]
    experiment_id = require_active_run(client, run_id).info.experiment_id
    model = ModelsOfRun(client, experiment_id, run_id, records).log_with_files(published)
    describe_registered(client, name, published.model.manifest)
    known = _versions_of(client, name, run_id, model)
    version = known[0] if known else _created(client, name, model, run_id, published)
    _name_version(client, model, version)
    client.update_model_version(name, version.version, description=card)
    if UNPROMOTED_TAG in version.tags:
        client.delete_model_version_tag(name, version.version, UNPROMOTED_TAG)
    return version, records.read(model.model_id)


def require_active_run(client: "MlflowClient", run_id: str) -> "Run":
    """Return a run.

    Raises:
        TrackingError: the run or its experiment was deleted; names the command that restores it.
    """
    run = client.get_run(run_id)
    if run.info.lifecycle_stage == "deleted":
        require_active_experiment(client.get_experiment(run.info.experiment_id))
        raise TrackingError(
            "the MLflow run of this model was deleted",
            where=f"run {run_id}",
            found="lifecycle stage deleted",
            expected="an active run",
            remedy=f"mlflow runs restore --run-id {run_id} (with MLFLOW_TRACKING_URI set), then run again; or "
            "materialise trained_model again, which opens another run",
        )
    return run


def require_active_experiment(experiment: "Experiment") -> None:
    """Refuse an experiment that was deleted.

    Raises:
        TrackingError: it was; names the command that restores it.
    """
    if experiment.lifecycle_stage == "deleted":
        raise TrackingError(
            "the MLflow experiment of this pipeline was deleted",
            where=f"experiment {experiment.name}",
            found="lifecycle stage deleted",
            expected="an active experiment",
            remedy=f"mlflow experiments restore --experiment-id {experiment.experiment_id} (with MLFLOW_TRACKING_URI "
            "set), then run again; for an empty experiment delete this one for good with mlflow gc",
        )


def _created(
    client: "MlflowClient", name: str, model: "LoggedModel", run_id: str, published: PublishedModel
) -> "ModelVersion":
    tags = {DIGEST_TAG: published.digest, MODEL_TAG: model.model_id}
    client.create_model_version(name, source=model.artifact_location, run_id=run_id, tags=tags, model_id=model.model_id)
    first, *duplicates = _versions_of(client, name, run_id, model)
    # MLflow repeats a request whose answer was lost, which makes a second version of the same content
    for duplicate in duplicates:
        client.delete_model_version(name, duplicate.version)
    return first


def _versions_of(client: "MlflowClient", name: str, run_id: str, model: "LoggedModel") -> "list[ModelVersion]":
    """Return the versions made of a logged model, the oldest first."""
    versions = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    mine = [version for version in versions if version.source == model.artifact_location]
    return sorted(mine, key=lambda version: int(version.version))


def _name_version(client: "MlflowClient", model: "LoggedModel", version: "ModelVersion") -> None:
    """Name a version on the logged model, as MLflow's fluent call does: the Models tab shows it by this tag."""
    shown = client.get_logged_model(model.model_id).tags.get(MLFLOW_VERSIONS, "[]")
    named = {"name": version.name, "version": str(version.version)}
    versions = [{**each, "version": str(each["version"])} for each in json.loads(shown)]
    if named not in versions:
        client.set_logged_model_tags(model.model_id, {MLFLOW_VERSIONS: json.dumps([*versions, named])})
