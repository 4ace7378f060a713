"""What a registered model says of itself: its description and its tags, made of the pipeline file."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from assay.results.trained_model import ModelManifest
from assay.specs.base import digest_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

_DESCRIPTION_TAG = "assay.description"
"""Digest of the description that Assay wrote: one that a person wrote in its place stays."""


def describe_registered(client: "MlflowClient", name: str, manifest: ModelManifest) -> None:
    """Create a registered model if missing, else let description and tags follow the pipeline file."""
    from mlflow.exceptions import MlflowException

    text = description_of(manifest)
    tags = {
        "pipeline": manifest.pipeline,
        "task": str(manifest.task),
        "target": manifest.target,
        _DESCRIPTION_TAG: digest_of(text),
    }
    try:
        client.create_registered_model(name, tags, text)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        _follow(client, name, text, tags)


def _follow(client: "MlflowClient", name: str, text: str, tags: Mapping[str, str]) -> None:
    found = client.get_registered_model(name)
    if text != found.description and digest_of(found.description or "") in {
        digest_of(""),
        found.tags.get(_DESCRIPTION_TAG),
    }:
        client.update_registered_model(name, description=text)
    for tag, value in tags.items():
        if found.tags.get(tag) != value:
            _set_tag(client, name, tag, value)


def _set_tag(client: "MlflowClient", name: str, tag: str, value: str) -> None:
    """Set a tag; MLflow inserts what it has not found, so that one of two runs fails where both set a new one."""
    from mlflow.exceptions import MlflowException

    try:
        client.set_registered_model_tag(name, tag, value)
    except MlflowException:
        if client.get_registered_model(name).tags.get(tag) != value:
            raise


def description_of(manifest: ModelManifest) -> str:
    """Return the pipeline file's description, and what the model predicts of which rows.

    Without markup: MLflow's list of models shows the text as it is.
    """
    spec = manifest.provenance.spec if manifest.provenance is not None else {}
    dataset = spec.get("dataset")
    source = dataset.get("source") if isinstance(dataset, dict) else None
    task = str(manifest.task).replace("_", " ")
    of = f" of the rows of {source}" if source else ""
    lines = (spec.get("description"), f"Predicts {manifest.target} ({task}){of}. Pipeline {manifest.pipeline}.")
    return "\n\n".join(str(each) for each in lines if each)
