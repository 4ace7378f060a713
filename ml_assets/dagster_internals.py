"""Everything of Dagster that is not its public interface; an upgrade of Dagster is checked here.

Each function says what it relies on, and `tests/assets/test_dagster_internals.py` asserts it against the installed
version. Belongs here: names from `dagster._core`, attributes that Dagster does not document, and names of run tags.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import click
import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as CheckTarget,
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
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Execution
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    AUTOMATION_CONDITION_TAG,
    BACKFILL_ID_TAG,
    PARTITION_NAME_TAG,
    RETRY_NUMBER_TAG,
    RUN_KEY_TAG,
    SCHEDULE_NAME_TAG,
    SENSOR_NAME_TAG,
    WILL_RETRY_TAG,
)
from dagster_shared.error import SerializableErrorInfo

AssetJob: TypeAlias = UnresolvedAssetJobDefinition
"""What `dagster.define_asset_job` returns."""
StoredError: TypeAlias = SerializableErrorInfo
"""An error in the event log."""


@dataclass(frozen=True, slots=True)
class RunTags:
    """What Dagster's tags say about why a run exists.

    Attributes:
        sensor, run_key: the sensor that requested it, and the key of that request.
        partition, partition_range: its partition key, or first and last key of a range; None without one.
        by_condition: whether an automation condition requested it.
        will_be_retried, is_automatic_retry: whether Dagster starts the run again, or started it for a failed one.
    """

    sensor: str | None
    run_key: str | None
    partition: str | None
    partition_range: tuple[str, str] | None
    by_condition: bool
    will_be_retried: bool
    is_automatic_retry: bool


def run_tags_of(run: dg.DagsterRun) -> RunTags:
    """Return what a run's tags say. Relies on the names of Dagster's tags."""
    tags = run.tags
    first, last = tags.get(ASSET_PARTITION_RANGE_START_TAG), tags.get(ASSET_PARTITION_RANGE_END_TAG)
    return RunTags(
        sensor=tags.get(SENSOR_NAME_TAG),
        run_key=tags.get(RUN_KEY_TAG),
        partition=tags.get(PARTITION_NAME_TAG),
        partition_range=(first, last) if first and last else None,
        by_condition=AUTOMATION_CONDITION_TAG in tags,
        will_be_retried=tags.get(WILL_RETRY_TAG) == "true",
        is_automatic_retry=RETRY_NUMBER_TAG in tags,
    )


@dataclass(frozen=True, slots=True)
class Step:
    """The attempt of a step that runs.

    Attributes:
        run_id, key: its run, and the step's key.
        previous_attempts: attempts of this step in this run that failed before.
        makes_range: whether it makes a range of partitions.
        tags: of the asset's operation.
        instance, log: where the run is recorded, and its log.
    """

    run_id: str
    key: str
    previous_attempts: int
    makes_range: bool
    tags: Mapping[str, str]
    instance: dg.DagsterInstance
    log: dg.DagsterLogManager


def step_of(context: dg.AssetExecutionContext | dg.OutputContext | dg.InputContext) -> Step:
    """Return the step of a context. Relies on `get_step_execution_context`, `step_context` and what these hold."""
    if isinstance(context, dg.AssetExecutionContext):
        step: dg.StepExecutionContext = context.op_execution_context.get_step_execution_context()
    else:
        step = context.step_context
    has_partitions = step.entity_partitions_def is not None
    return Step(
        run_id=step.run_id,
        key=step.step.key,
        previous_attempts=step.previous_attempt_count,
        makes_range=has_partitions and step.has_partition_key_range and not step.has_partition_key,
        tags=step.op.tags,
        instance=step.instance,
        log=step.log,
    )


def op_context_of(context: dg.AssetExecutionContext) -> dg.OpExecutionContext:
    """Return the argument that `dagster.AssetExecutionContext` is made of. Relies on its constructor."""
    return context.op_execution_context


def assets_of_run(context: dg.AssetExecutionContext) -> frozenset[dg.AssetKey]:
    """Return the assets that a run makes. Relies on `JobDefinition.asset_layer`."""
    return frozenset(context.run.asset_selection or context.job_def.asset_layer.executable_asset_keys)


def has_downstream_in_run(context: dg.AssetExecutionContext) -> bool:
    """Return whether a run makes the same partitions of an asset that reads this one. Relies on `asset_layer.get`."""
    layer = context.job_def.asset_layer
    after = layer.get(context.asset_key).child_keys & assets_of_run(context)
    return any(layer.get(key).partitions_def == context.assets_def.partitions_def for key in after)


def code_version_of(context: dg.AssetExecutionContext) -> str | None:
    """Return the code version of the step's asset. Relies on `AssetsDefinition.code_versions_by_key`."""
    return cast("str | None", context.assets_def.code_versions_by_key.get(context.asset_key))


def added_by_backfill(context: dg.AssetExecutionContext) -> frozenset[str]:
    """Return the partitions of a step that its backfill does not make of an asset that the step reads.

    Dagster adds partitions that read the chosen ones to a backfill, whether or not their own rows exist. None where
    the backfill makes no such asset, and outside of a backfill. Relies on `PartitionBackfill.asset_backfill_data`.
    """
    name = context.run.tags.get(BACKFILL_ID_TAG)
    backfill = context.instance.get_backfill(name) if name else None
    if backfill is None or backfill.asset_backfill_data is None:
        return frozenset()
    targets = backfill.asset_backfill_data.target_subset.partitions_subsets_by_asset_key
    read = [set(targets[key].get_partition_keys()) for key in context.assets_def.dependency_keys if key in targets]
    return frozenset(context.partition_keys).difference(set.intersection(*read)) if read else frozenset()


def partition_materialization(
    context: dg.AssetExecutionContext,
    metadata: Mapping[str, Any],
    version: dg.DataVersion | None,
    read: Mapping[str, list[str]],
) -> dg.AssetMaterialization:
    """Return the event of one partition of a range, tagged as Dagster tags that of a run of this partition alone.

    Relies on the tags of data versions, on `compute_logical_data_version` and on the event log's newest tags.

    Args:
        context: of the partition.
        metadata: what the UI shows.
        version: the data version; computed from code and inputs unless given.
        read: partitions read, by the input's name.
    """
    code = code_version_of(context) or context.run.run_id
    keys = {context.assets_def.keys_by_input_name[name]: partitions for name, partitions in read.items()}
    versions = {key: _version_of_all(context, key, partitions) for key, partitions in keys.items()}
    tags = {CODE_VERSION_TAG: code}
    for key, inputs in versions.items():
        tags[get_input_data_version_tag(key)] = inputs.value
        tags[get_input_event_pointer_tag(key)] = _newest_event(context, key)
    tags[DATA_VERSION_TAG] = (version or compute_logical_data_version(code, versions)).value
    tags |= {DATA_VERSION_IS_USER_PROVIDED_TAG: "true"} if version else {}
    return dg.AssetMaterialization(context.asset_key, partition=context.partition_key, metadata=metadata, tags=tags)


def newest_materialization(context: dg.AssetExecutionContext) -> CheckTarget | None:
    """Return what checks of a partition refer to; None before it was first made. Relies on the target's fields."""
    wanted = dg.AssetRecordsFilter(asset_key=context.asset_key, asset_partitions=[context.partition_key])
    for record in context.instance.fetch_materializations(wanted, limit=1).records:
        return CheckTarget(
            storage_id=record.storage_id, run_id=record.event_log_entry.run_id, timestamp=record.timestamp
        )
    return None


def partition_check(
    context: dg.AssetExecutionContext, result: dg.AssetCheckResult, target: CheckTarget | None
) -> tuple[dg.AssetCheckEvaluation, bool]:
    """Return the event of a check on one partition of a range, and whether the check blocks.

    The event itself never blocks: it would end the range. Relies on the fields of `AssetCheckEvaluation`.
    """
    spec = next(each for each in context.assets_def.check_specs if each.name == result.check_name)
    event = dg.AssetCheckEvaluation(
        asset_key=context.asset_key,
        check_name=spec.name,
        passed=result.passed,
        metadata=result.metadata,
        target_materialization_data=target,
        severity=result.severity,
        description=result.description,
        blocking=False,
        partition=context.partition_key if spec.partitions_def is not None else None,
    )
    return event, spec.blocking


def restore_check_outcomes(instance: dg.DagsterInstance, run_id: str) -> None:
    """Report again, outside of the run, the outcomes that the checks planned by a run had before it.

    A planned check hides the outcome before it, even where the run never evaluates the check. A warning that failed is
    not reported again: an automation condition would take it for a new alarm. Calling this again changes nothing.
    Relies on the planned events, and on the storage of check executions.
    """
    storage, done = instance.event_log_storage, {Execution.SUCCEEDED, Execution.FAILED}
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED):
        planned = entry.get_dagster_event().asset_check_planned_data
        keys = planned.partitions_subset.get_partition_keys() if planned.partitions_subset else [None]
        for partition in (PartitionKeyFilter(key=each) for each in keys):
            key = planned.asset_check_key
            newest = storage.get_asset_check_execution_history(key, limit=1, partition_filter=partition)
            if not newest or (newest[0].status, newest[0].run_id) != (Execution.PLANNED, run_id):
                continue
            before = storage.get_asset_check_execution_history(key, limit=1, status=done, partition_filter=partition)
            outcome = before[0].evaluation if before else None
            if outcome and (outcome.passed or outcome.severity is dg.AssetCheckSeverity.ERROR):
                instance.report_runless_asset_event(outcome)


def silent_outputs(context: dg.AssetExecutionContext, value: Any = None) -> list[dg.Output[Any]]:
    """Return the outputs that let later steps run, without an event that stands for a version of the asset.

    Relies on the metadata key by which Dagster suppresses an output's materialization event.

    Args:
        context: of the step.
        value: of the asset's output; without one the asset has no output, so that no later step runs.
    """
    names = set(context.op_execution_context.selected_output_names)
    own = {context.assets_def.get_output_name_for_asset_key(context.asset_key)} & names
    silent = {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}
    return [
        *(dg.Output(value, output_name=name, metadata=silent) for name in own if value is not None),
        *(dg.Output(None, output_name=name) for name in sorted(names - own)),
    ]


def without_run_config(resource: Any) -> Any:
    """Return a resource whose fields no run config sets, so that the Launchpad lists none of them.

    The page of the resource shows its values as before. Run config for it is accepted, and has no effect. Relies on
    `get_resource_definition`, on the default of its config, and on the schema that `configured` gives a definition.
    """
    definition = resource.get_resource_definition()
    fixed = copy(definition)
    values = definition.config_schema.default_value
    fixed._config_schema = definition.configured(values).config_schema  # noqa: SLF001 - keeps the definition's class
    return fixed


def error_of(event: dg.DagsterEvent) -> StoredError | None:
    """Return the error of a failure event. Relies on the event's `error`; its causes are in `cause` or `context`."""
    return getattr(event.event_specific_data, "error", None)


def handlers_of(log: dg.DagsterLogManager) -> list[logging.Handler]:
    """Return the handlers of a run's loggers. Relies on `_dagster_handler`, and on the loggers that it holds."""
    return [handler for each in log._dagster_handler._loggers for handler in each.handlers]  # noqa: SLF001


def pipelines_of(run: dg.DagsterRun) -> tuple[str, ...]:
    """Return the first components of the keys of the assets that a run makes, sorted; none of a job without assets.

    Relies on the run's asset selection, and on how Dagster names the steps of assets.
    """
    selected = {key.path[0] for key in run.asset_selection or () if len(key.path) > 1}
    steps = {key.split("__", maxsplit=1)[0] for key in run.step_keys_to_execute or () if "__" in key}
    return tuple(sorted(selected or steps))


def starter_of(run: dg.DagsterRun) -> str:
    """Return what started a run, as far as Dagster's tags say. Relies on their names."""
    tags = run_tags_of(run)
    if tags.sensor is not None and not tags.by_condition:
        return f"sensor {tags.sensor}"
    if SCHEDULE_NAME_TAG in run.tags:
        return f"schedule {run.tags[SCHEDULE_NAME_TAG]}"
    if tags.by_condition:
        return "automation condition"
    if BACKFILL_ID_TAG in run.tags:
        return f"backfill {run.tags[BACKFILL_ID_TAG]}"
    return "command line" if is_run_of_command_line() else "user interface or API"


def is_run_of_command_line() -> bool:
    """Return whether a person's command executes the run in this process.

    Relies on click's current context, and on the names of Dagster's commands: `dagster asset materialize`,
    `dagster job execute` and `dg launch`. A run that a daemon starts is executed by `dagster api`.
    """
    context = click.get_current_context(silent=True)
    return context is not None and context.info_name in {"materialize", "execute", "launch"}


def selection_without_assets(run: dg.DagsterRun) -> str | None:
    """Return the selection that a person's command was given and that no asset matches; None otherwise.

    Dagster takes the empty set for all assets. Relies on the options `select` of `dagster asset materialize` and
    `assets` of `dg launch`, and on the run's selections, which are empty only then.
    """
    if run.asset_selection or run.asset_check_selection or not is_run_of_command_line():
        return None
    options = click.get_current_context().params
    return options.get("select") or options.get("assets")


def touched_asset(event: dg.DagsterEvent) -> tuple[dg.AssetKey, str | None] | None:
    """Return asset and partition of a materialization, an observation or a check; None of other events.

    Relies on the data of these events.
    """
    data: Any = event.event_specific_data
    if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return data.asset_key, data.partition
    if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
        return data.materialization.asset_key, data.materialization.partition
    if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION:
        return data.asset_observation.asset_key, data.asset_observation.partition
    return None


def seconds_of(event: dg.DagsterEvent) -> float:
    """Return how long a step took, of the event of its success. Relies on `StepSuccessData.duration_ms`."""
    data: Any = event.event_specific_data
    return float(data.duration_ms) / 1_000


def passed_check(event: dg.DagsterEvent) -> str | None:
    """Return the name of the check that an event says has passed. Relies on the event's data."""
    if event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return None
    found = cast("dg.AssetCheckEvaluation", event.event_specific_data)
    return found.check_name if found.passed else None


def failed_check(event: dg.DagsterEvent) -> dg.AssetCheckEvaluation | None:
    """Return the check that an event says has failed as an error. Relies on the event's data."""
    if event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return None
    found = cast("dg.AssetCheckEvaluation", event.event_specific_data)
    return found if not found.passed and found.severity is dg.AssetCheckSeverity.ERROR else None


def store_values(instance: dg.DagsterInstance, values: Mapping[str, str]) -> None:
    """Replace small values by key, beside the cursors of Dagster's daemons. Relies on `daemon_cursor_storage`."""
    instance.daemon_cursor_storage.set_cursor_values(values)


def stored_values(instance: dg.DagsterInstance, keys: set[str]) -> Mapping[str, str]:
    """Return what `store_values` stored under some keys. Relies on `daemon_cursor_storage`."""
    return instance.daemon_cursor_storage.get_cursor_values(keys)


def _newest_event(context: dg.AssetExecutionContext, key: dg.AssetKey) -> str:
    step = context.op_execution_context.get_step_execution_context()
    found = step.maybe_fetch_and_get_input_asset_version_info(key)
    return str(found.storage_id) if found else NULL_EVENT_POINTER


def _version_of_all(context: dg.AssetExecutionContext, key: dg.AssetKey, partitions: Sequence[str]) -> dg.DataVersion:
    tags = context.instance.event_log_storage.get_latest_tags_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION_TAG], asset_partitions=list(partitions)
    )
    joined = "".join(found[DATA_VERSION_TAG] for _, found in sorted(tags.items()))
    return dg.DataVersion(hashlib.sha256(joined.encode()).hexdigest())
