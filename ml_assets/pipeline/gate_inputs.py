"""The gate's inputs beside the rows: the moment as of which it checks, and the rows that passed before."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.errors import SpecError
from assay.specs import PipelineSpec
from ml_assets.pipeline.partitions import partitions_of
from resources.artifacts.store import ArtifactStore
from resources.store.commit_record import Commit


def as_of(context: dg.AssetExecutionContext) -> dt.datetime:
    """Return the end of a time partition, and otherwise the run's start; the same for every retry."""
    if context.has_partition_key and isinstance(context.assets_def.partitions_def, dg.TimeWindowPartitionsDefinition):
        end: dt.datetime = context.partition_time_window.end
        return end.astimezone(dt.UTC)
    record = context.instance.get_run_record_by_id(context.run.run_id)
    if record is None:  # an ephemeral instance may keep no record
        return dt.datetime.now(dt.UTC)
    started = record.start_time or record.create_timestamp.timestamp()
    return dt.datetime.fromtimestamp(started, dt.UTC)


def reference_rows(
    context: dg.AssetExecutionContext, artifacts: ArtifactStore, spec: PipelineSpec
) -> ValidatedDataset | None:
    """Return the rows that `validation.distributions` compares with; None when it is not set, or none passed yet.

    Raises:
        SpecError: the reference is not a partition.
        StorageError: the store failed.
        DigestMismatchError: what is stored is not what was published.
    """
    rule = spec.validation.distributions
    if rule is None:
        return None
    partition = _reference_partition(context, spec, rule.reference)
    if partition is None and context.has_partition_key:
        return None
    accepted = next(_accepted(artifacts, tuple(context.asset_key.path), partition), None)
    if accepted is None:
        return None
    context.log.info("the columns are compared with version %d of %s", accepted.number, partition or "this asset")
    return artifacts.read(accepted, ValidatedDataset)


def _reference_partition(context: dg.AssetExecutionContext, spec: PipelineSpec, reference: str) -> str | None:
    """Return the partition to compare with; None for the first one, and without partitions."""
    partitions = partitions_of(spec)
    if reference == "previous":
        return None if partitions is None else _partition_before(context, partitions)
    if partitions is None or reference not in _keys(context, partitions):
        raise SpecError(
            "the reference is not a partition of this pipeline's data",
            where=f"{spec.name}: validation.distributions.reference",
            found=repr(reference),
            expected="previous, or the key of a partition",
        )
    return reference


def _partition_before(context: dg.AssetExecutionContext, partitions: dg.PartitionsDefinition[str]) -> str | None:
    own = context.partition_key
    if isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        before = partitions.get_prev_partition_window(partitions.time_window_for_partition_key(own).start)
        return before.start.strftime(partitions.fmt) if before else None
    # keys of objects are in the order in which they were first seen
    keys = _keys(context, partitions)
    index = keys.index(own) if own in keys else 0
    return keys[index - 1] if index else None


def _keys(context: dg.AssetExecutionContext, partitions: dg.PartitionsDefinition[str]) -> list[str]:
    return list(partitions.get_partition_keys(dynamic_partitions_store=context.instance))


def _accepted(artifacts: ArtifactStore, asset: tuple[str, ...], partition: str | None) -> Iterator[Commit]:
    """Yield the commits of data that passed, newest first; a refusal does not hide what passed before it."""
    for number in range(artifacts.log.newest_number(asset, partition), 0, -1):
        commit = artifacts.log.read(asset, partition, number)
        if commit.status == "published":
            yield commit
