"""The rows that monitoring compares, from the artifact store: of a window, its season, and the champion's own."""

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.data.feature_selection import select_features
from assay.data.frames import feature_frame
from assay.errors import ArtifactNotFoundError
from assay.gate.checked_table import missing_count
from assay.learning.splitting import LabelledRows, labelled_rows, metric_columns
from assay.monitoring.reference import KnownRows, MonitoredWindow, Reference
from assay.monitoring.seasons import partition_before, season_partition
from assay.promotion.champion import CurrentChampion
from assay.specs import PipelineSpec
from ml_assets.pipeline.run_context import asset_key, partition_of
from resources.artifacts.store import ArtifactStore


def monitored_window(
    context: dg.AssetExecutionContext,
    dataset: ValidatedDataset,
    champion: CurrentChampion,
    artifacts: ArtifactStore,
    spec: PipelineSpec,
) -> MonitoredWindow:
    """Return the newest rows, the newest labelled ones, and those of the same season before the champion's training."""
    own, features = partition_of(context) or "", champion.model.manifest.features
    season = season_partition(spec, own, max(champion.training_digests(spec), default="")) if own else None
    of_season = _published(artifacts, spec, season) if season else None
    labelled, unlearned = _labelled(own, dataset, champion, artifacts, spec)
    return MonitoredWindow(
        partition=own,
        features=feature_frame(dataset.table, features),
        trained_on=champion.learned_from(own, dataset, spec),
        labelled=labelled,
        unlearned=unlearned,
        season=KnownRows.of(of_season.table, season, champion, spec) if season and of_season else None,
        metric_columns=metric_columns(dataset.table, spec),
    )


def _labelled(
    own: str, dataset: ValidatedDataset, champion: CurrentChampion, artifacts: ArtifactStore, spec: PipelineSpec
) -> tuple[KnownRows | None, KnownRows | None]:
    """Return the newest rows whose target is known, and those of them that the champion has not learned from."""
    delay = spec.monitoring.label_delay if spec.monitoring else 0
    partition = partition_before(spec, own, delay) if delay else own
    known = dataset if not delay else _published(artifacts, spec, partition) if partition else None
    if known is None or partition is None or (delay and _awaits_labels(known, spec)):
        return None, None
    trained_on = champion.learned_from(partition, known, spec)

    labelled = KnownRows.of(known.table, partition, champion, spec, trained_on=trained_on)
    rest = champion.unlearned(known.table, partition, spec)
    return labelled, None if rest is None else KnownRows.of(rest, partition, champion, spec, trained_on=trained_on)


def _awaits_labels(dataset: ValidatedDataset, spec: PipelineSpec) -> bool:
    """Return whether the gate let rows without a target pass, since it comes later."""
    return bool(missing_count(dataset.table.column(spec.dataset.target)) == dataset.table.num_rows)


def rows_in_store(artifacts: ArtifactStore, spec: PipelineSpec, partition: str) -> LabelledRows | None:
    """Return a partition's validated rows as the pipeline's models take them; None where there are none."""
    dataset = _published(artifacts, spec, partition)
    if dataset is None:
        return None
    features, _ = select_features(dataset.schema, spec)
    return labelled_rows(dataset.table, features, spec)


def _published(artifacts: ArtifactStore, spec: PipelineSpec, partition: str | None) -> ValidatedDataset | None:
    """Return the newest rows of a partition; None where there are none or the gate refused them."""
    commit = artifacts.log.newest(tuple(asset_key(spec, "validated_dataset").path), partition)
    passed = commit is not None and commit.status == "published"
    return artifacts.read(commit, ValidatedDataset) if commit is not None and passed else None


def reference_of(
    champion: CurrentChampion, artifacts: ArtifactStore, spec: PipelineSpec, *, required: bool
) -> Reference:
    """Return the champion with its rows, in the versions that it was trained and evaluated on.

    Args:
        champion: the current champion.
        artifacts: the store.
        spec: the pipeline.
        required: whether the rows must be there; without them there is less to compare with.

    Raises:
        ArtifactNotFoundError: a version is required and not in the store any more.
    """
    window = _learned_from(champion, artifacts, spec, required=required)
    return Reference.of(champion, {key: dataset.table for key, dataset in window.items()}, spec)


def _learned_from(
    champion: CurrentChampion, artifacts: ArtifactStore, spec: PipelineSpec, *, required: bool
) -> dict[str, ValidatedDataset]:
    """Return the champion's window by partition; empty where a version is missing and not required."""
    asset, found = tuple(asset_key(spec, "validated_dataset").path), {}
    for partition, digest in champion.model.manifest.data_digests.items():
        commit = artifacts.of_data(asset, partition or None, digest)
        if commit is None and not required:
            return {}
        if commit is None:
            raise ArtifactNotFoundError(
                "the champion's training rows are not in the store",
                where="/".join(asset) + (f", partition {partition}" if partition else ""),
                found=f"no version with data digest {digest[:16]}",
                remedy="train and promote a model from rows of this store",
            )
        found[partition] = artifacts.read(commit, ValidatedDataset)
    return found
