"""Inputs of a pipeline's assets that are assets of others: feature sets, and assets of users' own code."""

from collections.abc import Collection, Iterable
from typing import Any

import dagster as dg

from assay.data.dataset import Dataset
from assay.live.label_versions import labels_of
from assay.specs import PipelineSpec
from assay.specs.other_sources import OtherSource
from assay.specs.references import Reference
from ml_assets.dagster_internals import step_of
from resources.artifacts.io_manager import ANY_MADE, ANY_TABLE, ArtifactIOManager

SOURCE = "source_rows"
"""The input of `raw_dataset`, where the source is an asset."""
LABELS = "label_rows"
"""The input of `served_labels`, where the source of the labels is an asset."""


def source_input(spec: PipelineSpec) -> dict[str, dg.AssetIn]:
    """Return the input that is the pipeline's source; none where it reads files or a database."""
    reference = spec.dataset.reference
    return {} if reference is None else {SOURCE: _input(reference)}


def joined_inputs(spec: PipelineSpec) -> dict[str, dg.AssetIn]:
    """Return the inputs that the pipeline's features join: one for each asset, as Dagster has it."""
    return {
        joined_input(spec, join): _input(reference)
        for join in _others(spec)
        if (reference := join.dataset.reference) is not None
    }


def joined_input(spec: PipelineSpec, join: OtherSource) -> str:
    """Return the name of the input that a join reads: after the first join of the same asset."""
    key = join.dataset.reference.key if join.dataset.reference is not None else None
    same = (each for each in _others(spec) if each.dataset.reference is not None and each.dataset.reference.key == key)
    return f"joined_{next(same, join).table}"


def labels_input(spec: PipelineSpec) -> dict[str, dg.AssetIn]:
    """Return the input that the labels of served rows are: all partitions that are made; none of another source."""
    reference = labels_of(spec).dataset.reference
    return {} if reference is None else {LABELS: dg.AssetIn(key=dg.AssetKey(reference.key), metadata=ANY_MADE)}


def _others(spec: PipelineSpec) -> tuple[OtherSource, ...]:
    return spec.features.other_sources if spec.features is not None else ()


def kind_of(read: dg.AssetIn) -> Any:
    """Return the type that an input is read as: of users' own assets whatever their IO manager gives."""
    return Any if ANY_TABLE.items() <= (read.metadata or {}).items() else Dataset


def note_rows(
    context: dg.AssetExecutionContext, artifacts: ArtifactIOManager, reference: Reference | None, version: str
) -> None:
    """Record the rows of an asset that another IO manager keeps among what the step has read."""
    if reference is not None:
        artifacts.add_input(context.run.run_id, step_of(context).key, "/".join(reference.key), version)


def keys_of_assets(own: dg.Definitions | None) -> set[tuple[str, ...]]:
    """Return the keys of the assets in a user's own definitions."""
    return {tuple(key.path) for each in (own.assets if own is not None else None) or () for key in _keys_of(each)}


def missing_assets(own: dg.Definitions | None, broken: Collection[str]) -> list[dg.AssetSpec]:
    """Return stand-ins for what users' own assets read of pipelines that cannot be used: Dagster wants them all."""
    assets = [each for each in (own.assets if own is not None else None) or () if isinstance(each, dg.AssetsDefinition)]
    read = sorted({key for each in assets for key in each.dependency_keys if key.path[0] in broken})
    return [dg.AssetSpec(key, description="Of a pipeline that cannot be used.") for key in read]


def _keys_of(asset: Any) -> Iterable[dg.AssetKey]:
    return asset.keys if isinstance(asset, dg.AssetsDefinition) else [asset.key] if hasattr(asset, "key") else ()


def _input(reference: Reference) -> dg.AssetIn:
    metadata = None if reference.is_feature_set else ANY_TABLE
    return dg.AssetIn(key=dg.AssetKey(reference.key), metadata=metadata)
