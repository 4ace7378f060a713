"""`assay reproduce`: a registered version rebuilt from what is recorded of it, and compared bit for bit."""

from pathlib import Path

from assay.data.dataset import ValidatedDataset
from assay.errors import ArtifactNotFoundError, AssayError, DigestMismatchError, LearningError, TrackingError
from assay.learning.reproduction import (
    Difference,
    Reproduction,
    changes_since,
    different_predictions,
    in_words,
    rebuilt,
    recorded_spec,
)
from assay.learning.splitting import Split, split_window
from assay.learning.training import INCREMENTAL
from assay.results.bundle import bundle_digest
from assay.results.trained_model import ModelManifest, TrainedModel
from assay.scratch import scratch_folder
from assay.shell.flags import Flags
from assay.specs import PipelineSpec
from ml_assets.commands.deployment import Deployment
from ml_assets.pipeline.code_version import OWN_CODE, changed_parts
from ml_assets.stages import STAGES
from resources.artifacts.store import ArtifactStore
from resources.mlflow.registry import MlflowModelRegistry, RecordedModel

_TRAINED = "trained_model"


def reproduce(flags: Flags) -> tuple[bool, str]:
    """Return whether a version was rebuilt with bit-identical predictions, and what was found.

    Raises:
        SpecError: the pipeline is not known, or the recorded one cannot be read.
        TrackingError: the registry has no such version.
        DigestMismatchError: the version's files are not those that were registered.
    """
    found = reproduced(Deployment(), flags.pipeline_name, flags.version)
    return found.is_identical, "\n".join(in_words(found, f"{flags.pipeline_name} version {flags.version}"))


def reproduced(deployment: Deployment, pipeline: str, version: str) -> Reproduction:
    """Rebuild a version, and compare it.

    Args:
        deployment: its stores and pipeline files.
        pipeline: name of a pipeline, or of its registered model.
        version: in the registry.
    """
    file, artifacts = deployment.pipeline(pipeline), deployment.artifacts
    registry: MlflowModelRegistry = deployment.resources["model_registry"]
    recorded = registry.recorded(file.registered_name, version)
    model = recorded.model
    spec = recorded_spec(model.manifest, file)
    own_code = _own_code_changed(model.manifest, recorded.digest, spec, artifacts)
    since = tuple(changes_since(model.manifest, spec, deployment.settings.checkout.state(), own_code_changed=own_code))
    try:
        split = _rows(model.manifest, spec, artifacts)
    except (ArtifactNotFoundError, DigestMismatchError) as error:
        return _not_rebuilt(recorded, (Difference("data", _in_short(error)), *since))
    try:
        parent = _parent(model.manifest, registry)
    except (TrackingError, DigestMismatchError) as error:
        return _not_rebuilt(recorded, (Difference("parent", _in_short(error)), *since))
    try:
        again = rebuilt(model, split, spec, parent)
    except LearningError as error:
        return _not_rebuilt(recorded, (*since, Difference("code", f"the fit fails: {_in_short(error)}")))
    return _compared(recorded, again, split, spec.training.threads, since)


def _compared(
    recorded: RecordedModel, again: TrainedModel, split: Split, threads: int, since: tuple[Difference, ...]
) -> Reproduction:
    import pandas as pd

    from assay.learning.persistence import save_model

    features = pd.concat([split.train.features, split.holdout.features], ignore_index=True)
    different = different_predictions(recorded.model, again, features, threads)
    with scratch_folder("rebuilt") as folder:
        save_model(again, Path(folder))
        digest = bundle_digest(Path(folder))
    return Reproduction(len(features), different, recorded.digest, digest, since)


def _rows(manifest: ModelManifest, spec: PipelineSpec, artifacts: ArtifactStore) -> Split:
    """Return the rows of a model, in the versions that it was trained and evaluated on.

    Raises:
        ArtifactNotFoundError: a version is not in the store any more.
    """
    asset, window = (spec.name, "validated_dataset"), {}
    for partition, digest in manifest.data_digests.items():
        commit = artifacts.of_data(asset, partition or None, digest)
        if commit is None:
            raise ArtifactNotFoundError(
                "the store has no version of these rows",
                where="/".join(asset) + (f", partition {partition}" if partition else ""),
                found=f"none with data digest {digest[:16]}",
            )
        window[partition] = artifacts.read(commit, ValidatedDataset)
    return split_window(window, spec)


def _parent(manifest: ModelManifest, registry: MlflowModelRegistry) -> TrainedModel | None:
    """Return the model that an incremental training continued.

    Raises:
        TrackingError: it is not known, or not in the registry any more.
    """
    if manifest.scenario_applied != INCREMENTAL:
        return None
    parent = manifest.provenance.parent if manifest.provenance else None
    if parent is None:
        raise TrackingError("the model does not record which model it continued")
    found = registry.recorded(parent.registered_name, parent.version)
    if found.digest != parent.digest:
        raise TrackingError(f"version {parent.version} is not the model that was continued")
    return found.model


def _own_code_changed(
    manifest: ModelManifest, digest: str, spec: PipelineSpec, artifacts: ArtifactStore
) -> bool | None:
    """Return whether the user's own modules differ from those of the training; None where its commit is gone."""
    commit = artifacts.of_data((spec.name, _TRAINED), manifest.partition, digest)
    if commit is None:
        return None
    (stage,) = [each for each in STAGES if each.name == _TRAINED]
    return OWN_CODE in changed_parts(commit.code_version, stage.code_version(spec))


def _not_rebuilt(recorded: RecordedModel, differences: tuple[Difference, ...]) -> Reproduction:
    rows = recorded.model.manifest.train_rows + recorded.model.manifest.holdout_rows
    return Reproduction(rows, None, recorded.digest, "", differences)


def _in_short(error: AssayError) -> str:
    return ", ".join(filter(None, (error.what, error.where, error.found)))
