"""Partitions before a window: the one of the same season, and the newest one whose target is known."""

import datetime as dt

from assay.data.source_rows import partition_span
from assay.specs.pipeline import PipelineSpec

_SEASONS = {"month": 12, "week": 52, "day": 7, "hour": 168}
_LENGTHS = {"hour": dt.timedelta(hours=1), "day": dt.timedelta(days=1), "week": dt.timedelta(days=7)}


def season_partition(spec: PipelineSpec, partition: str, newest_trained_on: str) -> str | None:
    """Return the newest partition of a window's season that is no later than the champion's newest training partition.

    A change that came after the champion was trained is so never compared with itself.

    Args:
        spec: the pipeline.
        partition: key of the window.
        newest_trained_on: key of the champion's newest training partition.
    """
    rule, partitions = (spec.monitoring.drift if spec.monitoring else None), spec.dataset.partitions
    if rule is None or rule.season == "none" or not partitions.is_time or not newest_trained_on:
        return None
    length = _SEASONS.get(partitions.by, 0) if rule.season == "auto" else rule.season
    start, last = (partition_span(partitions, key)[0] for key in (partition, newest_trained_on))
    if not length or start <= last:
        return None
    while start > last:
        start = _earlier(start, partitions.by, length)
    key = start.strftime(partitions.key_format)
    return None if partitions.rejection_of(key) else key


def partition_before(spec: PipelineSpec, partition: str, windows: int) -> str | None:
    """Return the key some partitions earlier; None before the first one."""
    partitions = spec.dataset.partitions
    if not windows:
        return partition
    key = _earlier(partition_span(partitions, partition)[0], partitions.by, windows).strftime(partitions.key_format)
    return None if partitions.rejection_of(key) else key


def _earlier(start: dt.datetime, by: str, windows: int) -> dt.datetime:
    """Return the start of the partition so many partitions before."""
    if by in _LENGTHS:
        return start - windows * _LENGTHS[by]
    months = start.year * 12 + start.month - 1 - windows * (12 if by == "year" else 1)
    return start.replace(year=months // 12, month=months % 12 + 1)
