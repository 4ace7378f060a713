"""Trained models as MLflow models: the scikit-learn flavour in skops format, with our own bundle beside it.

The flavour gives MLflow's users `mlflow.pyfunc.load_model`; the bundle is what Assay itself loads, after a digest
check. Requirements are written from the manifest, since inferring them takes longer than the rest of the logging.
Does not belong here: the registry (`model_registry`).
"""

import importlib.metadata
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from assay.training.trained_model import TrainedModel
from resources.file_digests import bundle_digest

if TYPE_CHECKING:
    from mlflow import MlflowClient

BUNDLE = "bundle"
MODEL_NAME = "model"
DIGEST_TAG = "assay.bundle_digest"


def log_trained_model(client: "MlflowClient", experiment_id: str, run_id: str, model: TrainedModel) -> str:
    """Log a model as an output of a run.

    Returns:
        `models:/<id>`; that of the model logged before, when the run has one with the same content.
    """
    from mlflow.entities import LoggedModelOutput
    from mlflow.entities.logged_model_status import LoggedModelStatus

    from assay.persistence import save_model

    with tempfile.TemporaryDirectory(prefix="assay-mlflow-") as folder:
        flavour, bundle = Path(folder) / "flavour", Path(folder) / BUNDLE
        bundle.mkdir()
        save_model(model, bundle)
        digest = bundle_digest(bundle)
        known = logged_model_id(client, experiment_id, run_id, digest)
        if known is not None:
            return f"models:/{known}"
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


def logged_model_id(client: "MlflowClient", experiment_id: str, run_id: str, digest: str | None) -> str | None:
    """Return the id of a run's finished model, of that content where a digest is given; None when there is none."""
    found = client.search_logged_models([experiment_id], filter_string=f"source_run_id = '{run_id}'")
    for logged in found:
        if str(logged.status) == "READY" and digest in {None, logged.tags.get(DIGEST_TAG)}:
            model_id: str = logged.model_id
            return model_id
    return None


def _save_flavour(model: TrainedModel, folder: Path, bundle: Path) -> None:
    import mlflow.sklearn
    from mlflow.models import infer_signature

    from assay.persistence import trusted_types

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
