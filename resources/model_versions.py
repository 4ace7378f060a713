"""Versions of a registered model: one for each content, however often it is registered.

Does not belong here: which of them is champion (`model_registry`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.errors import TrackingError
from resources.mlflow_models import DIGEST_TAG, logged_model_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

VALUE_TAG = "assay.holdout_value"


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A version in the registry.

    Attributes:
        name: of the registered model.
        version: its number.
        digest: of its files.
        holdout_value: the primary metric with which it was promoted; None where that was not recorded.
    """

    name: str
    version: str
    digest: str
    holdout_value: float | None = None


def version_of(found: "ModelVersion") -> RegisteredVersion:
    """Return MLflow's version as ours."""
    value = found.tags.get(VALUE_TAG)
    digest = found.tags.get(DIGEST_TAG, "")
    return RegisteredVersion(found.name, str(found.version), digest, float(value) if value else None)


def registered(client: "MlflowClient", name: str, run_id: str, card: str) -> RegisteredVersion:
    """Make the model that a run logged a version; the same content gets no second one.

    Args:
        client: MLflow's.
        name: of the registered model; made when there is none.
        run_id: MLflow's id of the run.
        card: markdown, the version's description.

    Raises:
        TrackingError: the run holds no model.
    """
    experiment_id = client.get_run(run_id).info.experiment_id
    model_id = logged_model_id(client, experiment_id, run_id, digest=None)
    if model_id is None:
        raise TrackingError(
            "the MLflow run of this model holds no model",
            where=f"run {run_id}",
            remedy="materialise trained_model again: its logging did not finish",
        )
    digest = client.get_logged_model(model_id).tags[DIGEST_TAG]
    _create_name(client, name)
    known = _of_content(client, name, digest)
    version = known[0] if known else _created(client, name, model_id, run_id, digest)
    client.update_model_version(name, version.version, description=card)
    return RegisteredVersion(name=name, version=str(version.version), digest=digest)


def _created(client: "MlflowClient", name: str, model_id: str, run_id: str, digest: str) -> "ModelVersion":
    source = client.get_logged_model(model_id).artifact_location
    client.create_model_version(name, source=source, run_id=run_id, tags={DIGEST_TAG: digest}, model_id=model_id)
    first, *twins = _of_content(client, name, digest)
    # a request whose answer was lost is sent again by MLflow, and makes a second version of the same content
    for twin in twins:
        client.delete_model_version(name, twin.version)
    return first


def _of_content(client: "MlflowClient", name: str, digest: str) -> "list[ModelVersion]":
    """Return the versions of that content, the oldest first."""
    versions = client.search_model_versions(f"name = '{name}' and tags.`{DIGEST_TAG}` = '{digest}'")
    return sorted(versions, key=lambda version: int(version.version))


def _create_name(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
