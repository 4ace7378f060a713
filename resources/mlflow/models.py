"""Trained models in MLflow: logged with a run, and registered as versions.

A logged model is MLflow's scikit-learn flavour in skops format, for `mlflow.pyfunc.load_model`, with Assay's own bundle
beside it, which Assay loads after a digest check. Registering the same content again makes no second version.
Requirements come from the manifest: inferring them takes longer than the rest of the logging.
"""

import importlib.metadata
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import TrackingError
from assay.results.trained_model import TrainedModel
from resources.store.local import bundle_digest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

BUNDLE = "bundle"
MODEL_NAME = "model"
DIGEST_TAG = "assay.bundle_digest"
VALUE_TAG = "assay.holdout_value"


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A version in the registry.

    Attributes:
        name: of the registered model.
        version: its number.
        digest: of the files of its bundle.
    """

    name: str
    version: str
    digest: str


def log_trained_model(client: "MlflowClient", experiment_id: str, run_id: str, model: TrainedModel) -> str:
    """Log a model as an output of a run.

    Returns:
        `models:/<id>`; of the earlier logged model if the run has one with the same content.
    """
    from mlflow.entities import LoggedModelOutput
    from mlflow.entities.logged_model_status import LoggedModelStatus

    from assay.learning.persistence import save_model

    with tempfile.TemporaryDirectory(prefix="assay-mlflow-") as folder:
        flavour, bundle = Path(folder) / "flavour", Path(folder) / BUNDLE
        bundle.mkdir()
        save_model(model, bundle)
        digest = bundle_digest(bundle)
        known = logged_model(client, experiment_id, run_id, digest)
        if known is not None:
            return f"models:/{known.model_id}"
        _save_flavour(model, flavour, bundle)
        created = client.create_logged_model(
            experiment_id,
            name=MODEL_NAME,
            source_run_id=run_id,
            tags={DIGEST_TAG: digest},
            model_type=str(model.manifest.task),
        )
        client.log_model_artifacts(created.model_id, str(flavour))
        client.log_model_artifacts(created.model_id, str(bundle), BUNDLE)
        client.finalize_logged_model(created.model_id, LoggedModelStatus.READY)
        client.log_outputs(run_id, [LoggedModelOutput(created.model_id, step=0)])
    return f"models:/{created.model_id}"


def logged_model(
    client: "MlflowClient", experiment_id: str, run_id: str, digest: str | None = None
) -> "LoggedModel | None":
    """Return a run's finished model, with that digest if one is given; None if there is none."""
    found = client.search_logged_models([experiment_id], filter_string=f"source_run_id = '{run_id}'")
    return next(
        (each for each in found if str(each.status) == "READY" and digest in {None, each.tags.get(DIGEST_TAG)}), None
    )


def _save_flavour(model: TrainedModel, folder: Path, bundle: Path) -> None:
    import mlflow.sklearn
    from mlflow.models import infer_signature

    from assay.learning.persistence import trusted_types

    example = model.input_example
    mlflow.sklearn.save_model(
        model.estimator,
        str(folder),
        serialization_format="skops",
        skops_trusted_types=trusted_types(bundle),
        signature=infer_signature(example, model.estimator.predict(example)),
        input_example=example,
        pip_requirements=requirements(model),
    )


def requirements(model: TrainedModel) -> list[str]:
    """Return the pinned public packages that using a model needs.

    Assay itself is left out: its wheel is installed from where the deployment keeps it, and a public package that
    happens to have its name must never be fetched in its place.
    """
    names = [name for name in model.manifest.library_versions if name not in {"python", "assay"}]
    pinned = [f"{name}=={model.manifest.library_versions[name]}" for name in names]
    return [*pinned, f"mlflow=={importlib.metadata.version('mlflow')}"]


def registered(client: "MlflowClient", name: str, run_id: str, card: str) -> RegisteredVersion:
    """Register the model that a run logged; the same content gets no second version.

    Args:
        client: MLflow's.
        name: of the registered model; created if there is none.
        run_id: MLflow's id of the run.
        card: markdown, the version's description.

    Raises:
        TrackingError: the run holds no model.
    """
    experiment_id = client.get_run(run_id).info.experiment_id
    model = logged_model(client, experiment_id, run_id)
    if model is None:
        raise TrackingError(
            "the MLflow run of this model holds no model",
            where=f"run {run_id}",
            remedy="materialise trained_model again: its logging did not finish",
        )
    _create_name(client, name)
    known = _of_content(client, name, model.tags[DIGEST_TAG])
    version = known[0] if known else _created(client, name, model, run_id)
    client.update_model_version(name, version.version, description=card)
    return RegisteredVersion(name=name, version=str(version.version), digest=model.tags[DIGEST_TAG])


def _created(client: "MlflowClient", name: str, model: "LoggedModel", run_id: str) -> "ModelVersion":
    digest = model.tags[DIGEST_TAG]
    client.create_model_version(
        name, source=model.artifact_location, run_id=run_id, tags={DIGEST_TAG: digest}, model_id=model.model_id
    )
    first, *duplicates = _of_content(client, name, digest)
    # MLflow repeats a request whose answer was lost, which makes a second version of the same content
    for duplicate in duplicates:
        client.delete_model_version(name, duplicate.version)
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
