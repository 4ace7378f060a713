"""What Dagster is told of one partition that a step made among many.

An `Output` of such a step would stand for all of its partitions, with one data version; so each partition is told by
an event of its own, with what Dagster itself would have written for a run of that partition alone.
Does not belong here: which partitions are made (`ml_assets.range_runs`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluation,
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    NULL_EVENT_POINTER,
    compute_logical_data_version,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

from ml_assets.run_context import PartitionContext
from resources.partitioned_input import RangeOutcome


def materialization(
    context: PartitionContext,
    metadata: Mapping[str, Any],
    version: dg.DataVersion | None,
    read: Mapping[str, list[str]],
) -> dg.AssetMaterialization:
    """Return the event of a partition that was made.

    Args:
        context: of the partition.
        metadata: what the UI shows.
        version: the data version; the one that follows from code and inputs unless given.
        read: partitions read, by the input's name.
    """
    return dg.AssetMaterialization(
        context.asset_key, partition=context.partition_key, metadata=metadata, tags=_tags(context, version, read)
    )


def newest_materialization(context: PartitionContext) -> AssetCheckEvaluationTargetMaterializationData | None:
    """Return what checks of the partition are checks of; None before it was first made."""
    wanted = dg.AssetRecordsFilter(asset_key=context.asset_key, asset_partitions=[context.partition_key])
    for record in context.instance.fetch_materializations(wanted, limit=1).records:
        return AssetCheckEvaluationTargetMaterializationData(
            storage_id=record.storage_id, run_id=record.event_log_entry.run_id, timestamp=record.timestamp
        )
    return None


def evaluation(
    context: PartitionContext,
    found: dg.AssetCheckResult,
    spec: dg.AssetCheckSpec,
    target: AssetCheckEvaluationTargetMaterializationData | None,
) -> AssetCheckEvaluation:
    """Return the event of a check on a partition; whether it blocks is decided by the range, not by the event."""
    return AssetCheckEvaluation(
        asset_key=context.asset_key,
        check_name=spec.name,
        passed=found.passed,
        metadata=found.metadata,
        target_materialization_data=target,
        severity=found.severity,
        description=found.description,
        blocking=False,
        partition=context.partition_key if spec.partitions_def is not None else None,
    )


def outputs(context: dg.AssetExecutionContext, outcome: RangeOutcome) -> list[dg.Output[Any]]:
    """Return the outputs that let the steps after go on; none of them stands for a partition."""
    names = set(context.op_execution_context.selected_output_names)
    own = {context.assets_def.get_output_name_for_asset_key(context.asset_key)} & names
    silent = {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}
    return [
        *(dg.Output(outcome, output_name=name, metadata=silent) for name in own),
        *(dg.Output(None, output_name=name) for name in sorted(names - own)),
    ]


def _tags(context: PartitionContext, version: dg.DataVersion | None, read: Mapping[str, list[str]]) -> dict[str, str]:
    code = context.assets_def.code_versions_by_key.get(context.asset_key) or context.run.run_id
    keys = {context.assets_def.keys_by_input_name[name]: partitions for name, partitions in read.items()}
    versions = {key: _version_of_all(context, key, partitions) for key, partitions in keys.items()}
    tags = {CODE_VERSION_TAG: code}
    for key, inputs in versions.items():
        tags[get_input_data_version_tag(key)] = inputs.value
        tags[get_input_event_pointer_tag(key)] = _newest_event(context, key)
    tags[DATA_VERSION_TAG] = (version or compute_logical_data_version(code, versions)).value
    return tags | ({DATA_VERSION_IS_USER_PROVIDED_TAG: "true"} if version else {})


def _newest_event(context: PartitionContext, key: dg.AssetKey) -> str:
    found = context.get_step_execution_context().maybe_fetch_and_get_input_asset_version_info(key)
    return str(found.storage_id) if found else NULL_EVENT_POINTER


def _version_of_all(context: PartitionContext, key: dg.AssetKey, partitions: Sequence[str]) -> dg.DataVersion:
    tags = context.instance.event_log_storage.get_latest_tags_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION_TAG], asset_partitions=list(partitions)
    )
    joined = "".join(found[DATA_VERSION_TAG] for _, found in sorted(tags.items()))
    return dg.DataVersion(hashlib.sha256(joined.encode()).hexdigest())
