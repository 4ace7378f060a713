"""The current champion, and the newest rows and reports that scoring and monitoring use."""

from typing import TypeVar

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.errors import ArtifactNotFoundError, TrackingError
from assay.promotion.champion import CurrentChampion
from assay.promotion.decision import NO_CHAMPION
from assay.promotion.people import commands_for, other_champion
from assay.specs import PipelineSpec
from assay.specs.base import Spec
from ml_assets.dagster_internals import run_tags_of
from ml_assets.pipeline.experiments import made_partitions
from ml_assets.pipeline.partitions import keys_of, partitions_of
from ml_assets.pipeline.run_context import asset_key, partition_of
from ml_assets.pipeline.verified_inputs import require_receipt
from resources.artifacts.store import ArtifactStore
from resources.mlflow.registry import MlflowModelRegistry

Report = TypeVar("Report", bound=Spec)


def current_champion(
    context: dg.AssetExecutionContext, registry: MlflowModelRegistry, spec: PipelineSpec
) -> CurrentChampion | None:
    """Load the champion; in a space without one, production's.

    Returns:
        The champion; None if nothing is promoted yet and an automation condition started the run, since rows before the
        first promotion are no failure.

    Raises:
        TrackingError: nothing is promoted yet, or the champion predicts something else than the pipeline.
        DigestMismatchError: its files are not those that were registered.
    """
    found = registry.nearest_champion(spec)
    if found is not None:
        _require_same_target(found, spec)
        return found
    if run_tags_of(context.run).by_condition:
        context.log.info("%s: %s, so nothing is computed", spec.registered_name, NO_CHAMPION)
        return None
    waiting = [*registry.journal(spec.registered_name).history().waiting]
    raise TrackingError(
        NO_CHAMPION,
        where=f"registered model {spec.registered_name}",
        found=f"version {waiting[-1]} waits for approval" if waiting else "",
        expected="a promoted model",
        remedy=commands_for(spec.name, waiting[-1]) if waiting else f"materialise {spec.name}/champion_model first",
    )


def _require_same_target(champion: CurrentChampion, spec: PipelineSpec) -> None:
    facts = champion.model.manifest
    if (facts.task, facts.target) != (spec.task, spec.dataset.target):
        raise TrackingError(
            "the champion predicts something else than this pipeline",
            where=f"registered model {spec.registered_name}, version {champion.version}",
            found=f"{facts.task} of '{facts.target}', by pipeline {facts.pipeline}",
            expected=f"{spec.task} of '{spec.dataset.target}'",
            remedy=f"materialise {spec.name}/champion_model, which promotes a model of this pipeline; or "
            f"{other_champion(spec.name)}",
        )


def newest_validated(
    context: dg.AssetExecutionContext, artifacts: ArtifactStore, spec: PipelineSpec
) -> ValidatedDataset:
    """Return the rows of the newest partition that passed the gate, receipt verified.

    Raises:
        ArtifactNotFoundError: no partition has passed yet.
        GateError: the newest version of that partition was refused, or its receipt does not match.
    """
    partitions, newest = partitions_of(spec), None
    if partitions is not None:
        made = made_partitions(context, artifacts, spec, "validated_dataset")
        newest = next((each for each in reversed(keys_of(context, partitions)) if each in made), None)
        if newest is None:
            key = asset_key(spec, "validated_dataset").to_user_string()
            raise ArtifactNotFoundError(
                "no partition has passed the gate yet", where=key, remedy=f"materialise {key} first"
            )
    return validated_partition(artifacts, spec, newest)


def validated_partition(artifacts: ArtifactStore, spec: PipelineSpec, partition: str | None) -> ValidatedDataset:
    """Return the rows of a partition that passed the gate, receipt verified.

    Raises:
        ArtifactNotFoundError: the partition was not made.
        GateError: its newest version was refused, or its receipt does not match.
    """
    key = asset_key(spec, "validated_dataset")
    dataset = artifacts.load(tuple(key.path), partition, ValidatedDataset)
    require_receipt(dataset, spec, partition)
    return dataset


def earlier_reports(
    context: dg.AssetExecutionContext, artifacts: ArtifactStore, kind: type[Report], most: int
) -> list[Report]:
    """Return this asset's reports of the windows before this one, oldest first.

    Windows are the partitions before this one, or without partitions the asset's own versions.
    """
    asset, own = tuple(context.asset_key.path), partition_of(context)
    if own is None:
        newest = artifacts.log.newest_number(asset, None)
        commits = [artifacts.log.read(asset, None, number) for number in range(max(1, newest - most + 1), newest + 1)]
    else:
        keys = keys_of(context, context.assets_def.partitions_def)
        before = keys[: keys.index(own)] if own in keys else []
        found = [artifacts.log.newest(asset, key) for key in before[-most:]]
        commits = [commit for commit in found if commit is not None]
    return [artifacts.read(commit, kind) for commit in commits]
