"""What a registered model says of itself: its description and its tags, made of the pipeline file."""

from typing import TYPE_CHECKING

from assay.results.trained_model import ModelManifest
from assay.specs.base import digest_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

_DESCRIPTION_TAG = "assay.description"
"""Digest of the description that Assay wrote: one that a person wrote in its place stays."""


def describe_registered(client: "MlflowClient", name: str, manifest: ModelManifest) -> None:
    """Create a registered model if there is none, and let description and tags follow the pipeline file."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    found, text = client.get_registered_model(name), description_of(manifest)
    if text != found.description and digest_of(found.description or "") in {
        digest_of(""),
        found.tags.get(_DESCRIPTION_TAG),
    }:
        client.update_registered_model(name, description=text)
    wanted = {
        "pipeline": manifest.pipeline,
        "task": str(manifest.task),
        "target": manifest.target,
        _DESCRIPTION_TAG: digest_of(text),
    }
    for tag, value in wanted.items():
        if found.tags.get(tag) != value:
            client.set_registered_model_tag(name, tag, value)


def description_of(manifest: ModelManifest) -> str:
    """Return the pipeline file's description, and what the model predicts of which rows."""
    spec = manifest.provenance.spec if manifest.provenance is not None else {}
    dataset = spec.get("dataset")
    source = dataset.get("source") if isinstance(dataset, dict) else None
    task = str(manifest.task).replace("_", " ")
    of = f" of the rows of `{source}`" if source else ""
    lines = (spec.get("description"), f"Predicts `{manifest.target}` ({task}){of}. Pipeline `{manifest.pipeline}`.")
    return "\n\n".join(str(each) for each in lines if each)
