"""Partitions of a pipeline's assets and checks, and the window of partitions that a model learns from."""

import datetime as dt
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from assay.features.reach import most_earlier_keys, reach_of
from assay.specs import PipelineSpec
from assay.specs.dataset import PartitionsSpec


def partitions_of(spec: PipelineSpec) -> dg.PartitionsDefinition[str] | None:
    """Return the partitions that all assets of a pipeline share; None without partitions."""
    partitions = spec.dataset.partitions
    if partitions.by == "none":
        return None
    if partitions.by == "object":
        return dg.DynamicPartitionsDefinition(name=f"{spec.name}_objects")
    return _time_partitions(partitions)


@lru_cache(maxsize=256)  # the assets and checks of a pipeline ask more than thirty times
def _time_partitions(partitions: PartitionsSpec) -> dg.TimeWindowPartitionsDefinition:
    return dg.TimeWindowPartitionsDefinition(
        start=_moment(str(partitions.start), partitions),
        end=_moment(partitions.end, partitions) if partitions.end else None,
        fmt=partitions.key_format,
        cron_schedule=_CRON[partitions.by],
        timezone=partitions.timezone,
    )


def check_of_partitions(spec: PipelineSpec, name: str, asset: dg.AssetKey, **options: Any) -> dg.AssetCheckSpec:
    """Return a check with the asset's partitions, so that a later partition's success does not hide a failure."""
    return dg.AssetCheckSpec(name, asset=asset, partitions_def=partitions_of(spec), **options)


def window_mapping(spec: PipelineSpec) -> dg.PartitionMapping | None:
    """Return which upstream partitions a model's partition reads.

    Split by time, these are the holdout and the training partitions before it; otherwise the same partition. The
    holdout is the newest partition whose target is known: with `monitoring.label_delay` an earlier one.
    """
    if spec.split.by != "time" or spec.split.train_partitions is None:
        return None
    # the split refuses a window that the first partition cuts short, and says how many partitions are missing
    delay = spec.monitoring.label_delay if spec.monitoring else 0
    return dg.TimeWindowPartitionMapping(start_offset=-spec.split.train_partitions - delay, end_offset=-delay)


def earlier_mapping(spec: PipelineSpec) -> dg.PartitionMapping | None:
    """Return which partitions of the source's rows a feature set reads: its own, and those that its windows reach."""
    most = most_earlier_keys(spec.dataset.partitions, reach_of(spec.features, spec.dataset.partitions))
    return dg.TimeWindowPartitionMapping(start_offset=-most, end_offset=0) if most else None


def upstream_keys(mapping: dg.PartitionMapping | None, partitions: dg.PartitionsDefinition[str], key: str) -> list[str]:
    """Return the keys that a partition reads of an asset with the same partitions, oldest first.

    Args:
        mapping: of the input; None for the same partition.
        partitions: of both assets.
        key: the partition that reads.
    """
    if mapping is None:
        return [key]
    own = partitions.subset_with_partition_keys([key])
    read = mapping.get_upstream_mapped_partitions_result_for_partitions(own, partitions, partitions)
    return sorted(read.partitions_subset.get_partition_keys())


def keys_of(context: dg.AssetExecutionContext, partitions: dg.PartitionsDefinition[str] | None) -> list[str]:
    """Return all partition keys, by time or in the order in which objects were first seen."""
    return list(partitions.get_partition_keys(dynamic_partitions_store=context.instance)) if partitions else []


def missing_history(mapping: dg.TimeWindowPartitionMapping, keys: list[str]) -> int:
    """Return how many partitions of a window lie before the first one."""
    return mapping.end_offset - mapping.start_offset + 1 - len(keys)


_CRON = {"hour": "0 * * * *", "day": "0 0 * * *", "week": "0 0 * * 0", "month": "0 0 1 * *", "year": "0 0 1 1 *"}


def _moment(key: str, partitions: PartitionsSpec) -> dt.datetime:
    return dt.datetime.strptime(key, partitions.key_format).replace(tzinfo=ZoneInfo(partitions.timezone))
