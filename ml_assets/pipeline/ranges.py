"""One run for a range of partitions: a body that makes one partition, called for each of them, oldest first.

Each partition gets what a run of its own would have given it: commit, receipt, checks, data version, events. One that
fails does not hold up the others: later steps of the run pass over it, and the last step fails for it. A partition
whose history before the range is too short is passed over, since every range begins so; alone, it is refused. So is
one without rows that Dagster added to a backfill.

Which partitions of a range run a backfill was asked for.

Where raw data and models are chosen together, Dagster adds to a backfill the later partitions that would learn from
the chosen ones, whether or not their own rows are there yet.

What Dagster is told of one partition that a step made among many.

An `Output` of such a step would stand for all of its partitions, with one data version; so each partition is told by
an event of its own, with what Dagster itself would have written for a run of that partition alone.
"""

import gc
import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial, wraps
from typing import Any, get_origin

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
from dagster._core.storage.tags import BACKFILL_ID_TAG

from assay.errors import AssayError, PartitionsFailedError, StepTimeoutError
from ml_assets.pipeline.partitions import missing_history, upstream_keys
from ml_assets.pipeline.run_context import PartitionContext, Scope, makes_many, place_of
from ml_assets.supervision.step import timed_partition
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.partitioned_input import PartitionedInput, RangeOutcome
from resources.artifacts.store import Attempt


def added_by_dagster(context: dg.AssetExecutionContext) -> frozenset[str]:
    """Return the partitions of this step that the backfill does not make of an asset that the step reads.

    None where the backfill makes no such asset, and outside of a backfill.
    """
    name = context.run.tags.get(BACKFILL_ID_TAG)
    backfill = context.instance.get_backfill(name) if name else None
    if backfill is None or backfill.asset_backfill_data is None:
        return frozenset()
    targets = backfill.asset_backfill_data.target_subset.partitions_subsets_by_asset_key
    read = [set(targets[key].get_partition_keys()) for key in context.assets_def.dependency_keys if key in targets]
    return frozenset(context.partition_keys).difference(set.intersection(*read)) if read else frozenset()


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


# figures and tables in reference cycles are few objects of many bytes: Python's own count would let them pile up
_COLLECTED_EVERY = 10

Body = Callable[..., Any]
Inputs = Mapping[str, dg.AssetIn]


def each_partition(body: Body, ins: Inputs) -> Body:
    """Return a body that makes every partition of a range run, one after the other, and else is the same.

    Args:
        body: makes one partition; returns or yields its output and check results.
        ins: its inputs, of assets with the same partitions.
    """

    @wraps(body)
    def step(context: dg.AssetExecutionContext, **arguments: Any) -> Any:
        if not makes_many(context):
            return body(context, **arguments)
        return _Range(context, body, ins, arguments).events()

    return step


def lazy_inputs(body: Body, ins: Inputs) -> dict[str, dg.AssetIn]:
    """Return the inputs with types that a `PartitionedInput` fits as well."""
    kinds = body.__annotations__
    return {
        name: dg.AssetIn(
            key=each.key,
            partition_mapping=each.partition_mapping,
            metadata=each.metadata,
            dagster_type=_lazy_type(kinds[name]),
        )
        for name, each in ins.items()
    }


@cache
def _lazy_type(kind: Any) -> dg.DagsterType:
    name = getattr(kind, "__name__", str(kind)) if get_origin(kind) is None else str(kind)
    accepted = (get_origin(kind) or kind, PartitionedInput)
    return dg.DagsterType(lambda _, value: isinstance(value, accepted), name=name, typing_type=kind)


@dataclass(slots=True)
class _Range:
    """One step's way through its partitions."""

    context: dg.AssetExecutionContext
    body: Body
    ins: Inputs
    arguments: Mapping[str, Any]
    failed: dict[str, str] = field(default_factory=dict)
    passed_over: dict[str, str] = field(default_factory=dict)

    def events(self) -> Iterator[Any]:
        """Yield what Dagster is told of each partition, and at last the outputs for the steps after this one."""
        self._take_over()
        with Scope() as scope, _cheap_collections():
            for number, key in enumerate(self.context.partition_keys, start=1):
                if number % _COLLECTED_EVERY == 0:
                    gc.collect()
                if key in self.failed or key in self.passed_over:
                    self.context.log.warning("%s is passed over: %s", key, (self.failed | self.passed_over)[key])
                    continue
                one = PartitionContext(self.context, key, scope)
                try:
                    yield from timed_partition(one, self._partition(one))
                except StepTimeoutError as error:
                    self._failed(one, str(error))
        if self.failed and not self._has_steps_after():
            raise self._failure()
        yield from outputs(self.context, RangeOutcome(self.failed, self.passed_over))

    def _take_over(self) -> None:
        """Take over what earlier steps could not make, and find the partitions whose history is too short."""
        for value in self.arguments.values():
            if isinstance(value, PartitionedInput):
                self.failed |= value.outcome.failed
                self.passed_over |= value.outcome.passed_over
        keys, added = list(self.context.partition_keys), added_by_dagster(self.context)
        short = {
            key: f"{count} earlier partition{'s are' if count > 1 else ' is'} missing"
            for key in keys
            if (count := self._missing_history(key))
        }
        early = dict.fromkeys(filter(self._lacks_rows, added), "it has no rows yet, and the backfill did not name it")
        if len(idle := early | short) < len(keys):  # a range of nothing else is refused like each of them
            self.passed_over |= idle

    def _missing_history(self, key: str) -> int:
        """Return how many partitions before the range a window lacks; what lacks inside the range has failed."""
        first, most = self.context.partition_keys[0], 0
        for name, keys in self._reads(key):
            mapping, value = self.ins[name].partition_mapping, self.arguments[name]
            if isinstance(mapping, dg.TimeWindowPartitionMapping) and isinstance(value, PartitionedInput):
                most = max(most, missing_history(mapping, keys) + value.unpublished(k for k in keys if k < first))
        return most

    def _lacks_rows(self, key: str) -> bool:
        return any(
            isinstance(value := self.arguments[name], PartitionedInput) and value.unpublished(keys)
            for name, keys in self._reads(key)
        )

    def _reads(self, key: str) -> Iterator[tuple[str, list[str]]]:
        partitions = self.context.assets_def.partitions_def
        assert partitions is not None  # noqa: S101 - a range has partitions
        for name, each in self.ins.items():
            yield name, upstream_keys(each.partition_mapping, partitions, key)

    def _partition(self, context: PartitionContext) -> Iterator[Any]:
        """Yield the events of one partition; what is wrong with it alone is kept for the end of the run."""
        artifacts: ArtifactIOManager = context.resources.artifact_io_manager
        artifacts.forget_inputs(context.run.run_id, _step_key(context))
        blocked: list[str] = []
        target = cache(partial(newest_materialization, context))
        try:
            for told in self._told_by_body(context):
                if isinstance(told, dg.AssetCheckResult):
                    spec = self._check_spec(told)
                    if spec.blocking and not told.passed and told.severity is dg.AssetCheckSeverity.ERROR:
                        blocked.append(spec.name)
                    yield evaluation(context, told, spec, target())
                else:
                    yield self._published(context, artifacts, told)
            if blocked:
                self._failed(context, f"blocking checks failed: {', '.join(blocked)}")
        except AssayError as error:
            if error.transient:  # the answer is another try of the step, not a partition that is left out
                raise
            self._failed(context, str(error))

    def _told_by_body(self, context: PartitionContext) -> Iterator[Any]:
        reads = dict(self._reads(context.partition_key))
        values = {
            name: value.of(reads[name]) if isinstance(value, PartitionedInput) else value
            for name, value in self.arguments.items()
        }
        told = self.body(context, **values)
        if not inspect.isgenerator(told):
            yield told
            return
        with closing(told):
            yield from told

    def _published(self, context: PartitionContext, artifacts: ArtifactIOManager, output: dg.Output[Any]) -> Any:
        run_id, step_key = context.run.run_id, _step_key(context)
        attempt = Attempt(
            run_id=run_id,
            attempt_id=f"{run_id}-{step_key}-{context.retry_number}",
            code_version=context.assets_def.code_versions_by_key.get(context.asset_key),
            inputs=artifacts.inputs_of(run_id, step_key),
        )
        stored = artifacts.published(context.asset_key, context.partition_key, output.value, attempt)
        reads = dict(self._reads(context.partition_key))
        return materialization(context, {**output.metadata, **stored}, output.data_version, reads)

    def _check_spec(self, told: dg.AssetCheckResult) -> dg.AssetCheckSpec:
        specs: list[dg.AssetCheckSpec] = list(self.context.assets_def.check_specs)
        return next(spec for spec in specs if spec.name == told.check_name)

    def _failed(self, context: PartitionContext, reason: str) -> None:
        context.log.error("%s failed; the range goes on\n%s", place_of(context), reason)
        self.failed[context.partition_key] = reason

    def _has_steps_after(self) -> bool:
        """Return whether this run makes the same partitions of an asset that reads this one."""
        layer, own = self.context.job_def.asset_layer, self.context.asset_key
        chosen = self.context.run.asset_selection or layer.executable_asset_keys
        after = layer.get(own).child_keys & set(chosen)
        return any(layer.get(key).partitions_def == self.context.assets_def.partitions_def for key in after)

    def _failure(self) -> AssayError:
        keys = sorted(self.failed)
        return PartitionsFailedError(
            f"{len(keys)} of {len(self.context.partition_keys)} partitions failed; the others were published",
            where=self.context.asset_key.to_user_string(),
            found="\n".join(f"{key}: {self.failed[key]}" for key in keys),
            remedy=f"mend what the reasons name, then materialise {', '.join(keys)} again",
        )


@contextmanager
def _cheap_collections() -> Iterator[None]:
    """Keep what is there already, most of it loaded libraries, from being looked through at every collection."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _step_key(context: dg.AssetExecutionContext) -> str:
    return str(context.get_step_execution_context().step.key)
