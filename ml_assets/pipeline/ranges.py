"""Range runs: one run makes a range of partitions, and each partition gets what a run of its own would give it.

The body is called once for each partition, oldest first, and each gets its own commit, receipt, checks, data version
and events. A partition that fails does not stop the others: later steps of the run skip it, and the last step fails.
Partitions whose history before the range is too short are skipped, as are those without rows that a backfill added.
"""

import gc
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial, wraps
from typing import Any, TypeAlias, get_origin

import dagster as dg

from assay.errors import AssayError, DataContractError, PartitionsFailedError, StepTimeoutError
from ml_assets.dagster_internals import (
    added_by_backfill,
    has_downstream_in_run,
    newest_materialization,
    partition_check,
    partition_materialization,
    silent_outputs,
    step_of,
)
from ml_assets.pipeline.partitions import missing_history, upstream_keys
from ml_assets.pipeline.run_context import PartitionContext, Scope, attempt_of, location_of, makes_range
from ml_assets.supervision.step import timed_partition
from resources.artifacts.io_manager import ArtifactIOManager, PartitionedType, reads_own_partition
from resources.artifacts.step_inputs import PartitionedInput, RangeOutcome

Body: TypeAlias = Callable[..., Any]
Inputs: TypeAlias = Mapping[str, dg.AssetIn]

# tables in reference cycles are few objects of many bytes, which Python's own count would collect too late
_COLLECT_EVERY = 10


def each_partition(body: Body, ins: Inputs) -> Body:
    """Return a body that makes every partition of a range run, one after the other."""

    @wraps(body)
    def step(context: dg.AssetExecutionContext, **arguments: Any) -> Any:
        if not makes_range(context):
            return body(context, **arguments)
        return _RangeRun(context, body, ins, arguments).events()

    return step


def lazy_inputs(body: Body, ins: Inputs) -> dict[str, dg.AssetIn]:
    """Return the inputs with types that also accept a `PartitionedInput`."""
    kinds: Mapping[str, Any] = body.__annotations__
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
def _lazy_type(kind: Any) -> PartitionedType:
    if kind is Any:
        return PartitionedType(lambda _, __: True, name="AnyTable", typing_type=Any)
    name = getattr(kind, "__name__", str(kind)) if get_origin(kind) is None else str(kind)
    accepted = (get_origin(kind) or kind, PartitionedInput)
    return PartitionedType(lambda _, value: isinstance(value, accepted), name=name, typing_type=kind)


@dataclass
class _RangeRun:
    """One step that makes a range; `failed` and `skipped` hold the reason by partition."""

    context: dg.AssetExecutionContext
    body: Body
    ins: Inputs
    arguments: Mapping[str, Any]
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    _read_by_all: dict[str, str] = field(default_factory=dict)

    def events(self) -> Iterator[Any]:
        """Yield the events of each partition, then the outputs for the later steps."""
        self._find_skipped()
        self._read_by_all = self._artifacts.inputs_of(self.context.run.run_id, step_of(self.context).key)
        with Scope() as scope, _cheap_collections():
            for number, key in enumerate(self.context.partition_keys, start=1):
                if number % _COLLECT_EVERY == 0:
                    gc.collect()
                if reason := (self.failed | self.skipped).get(key):
                    self.context.log.warning("%s is skipped: %s", key, reason)
                    continue
                one = PartitionContext(self.context, key, scope)
                try:
                    yield from timed_partition(one, self._partition(one))
                except StepTimeoutError as error:
                    self._fail(one, str(error))
        if self.failed and not has_downstream_in_run(self.context):
            raise self._failure()
        yield from silent_outputs(self.context, RangeOutcome(self.failed, self.skipped))

    def _find_skipped(self) -> None:
        """Collect what earlier steps did not make, and the partitions that this step cannot make."""
        for value in self.arguments.values():
            if isinstance(value, PartitionedInput):
                self.failed |= value.outcome.failed
                self.skipped |= value.outcome.skipped
        keys, added = list(self.context.partition_keys), added_by_backfill(self.context)
        short = {
            key: f"{count} earlier partition{'s are' if count > 1 else ' is'} missing"
            for key in keys
            if (count := self._missing_history(key))
        }
        early = dict.fromkeys(filter(self._lacks_rows, added), "it has no rows yet, and the backfill did not name it")
        idle = early | short
        if len(idle) < len(keys):  # where no partition can be made, each fails with the error of a single run
            self.skipped |= idle

    def _missing_history(self, key: str) -> int:
        """Return how many partitions before the range a window lacks; missing ones inside the range have failed."""
        first, most = self.context.partition_keys[0], 0
        for name, keys in self._reads(key):
            if reads_own_partition(self.ins[name].metadata):
                continue
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
            own = reads_own_partition(each.metadata)
            yield name, [key] if own else upstream_keys(each.partition_mapping, partitions, key)

    def _partition(self, context: PartitionContext) -> Iterator[Any]:
        """Yield the events of one partition; its failure is recorded for the end of the step."""
        artifacts = self._artifacts
        artifacts.forget_inputs(context.run.run_id, step_of(context).key, but=self._read_by_all)
        blocked: list[str] = []
        target = cache(partial(newest_materialization, context))
        try:
            for result in self._results_of_body(context):
                if isinstance(result, dg.AssetCheckResult):
                    event, blocks = partition_check(context, result, target())
                    if blocks and not result.passed and result.severity is dg.AssetCheckSeverity.ERROR:
                        blocked.append(event.check_name)
                    yield event
                else:
                    yield self._publish(context, artifacts, result)
            if blocked:
                self._fail(context, f"blocking checks failed: {', '.join(blocked)}")
        except AssayError as error:
            if error.transient:  # the whole step is retried, and no partition is left out
                raise
            self._fail(context, str(error))

    @property
    def _artifacts(self) -> ArtifactIOManager:
        found: ArtifactIOManager = self.context.resources.artifact_io_manager
        return found

    def _results_of_body(self, context: PartitionContext) -> Iterator[Any]:
        reads = dict(self._reads(context.partition_key))
        values = {name: self._value(name, value, reads.get(name, [])) for name, value in self.arguments.items()}
        result = self.body(context, **values)
        if not inspect.isgenerator(result):
            yield result
            return
        with closing(result):
            yield from result

    def _value(self, name: str, value: Any, keys: list[str]) -> Any:
        """Return what one partition reads of an argument.

        Raises:
            DataContractError: another IO manager gave it by partition, and its partitions are others.
        """
        if isinstance(value, PartitionedInput):
            return value.of(keys)
        if name not in self.ins or not isinstance(value, Mapping) or value.keys() == {""}:
            return value
        if value.keys() != {*self.context.partition_keys}:
            raise DataContractError(
                "the partitions of an asset are others than those of its reader, so that a range cannot be split",
                where=str(self.ins[name].key),
                found=f"{len(value)} partitions for {len(self.context.partition_keys)}",
                remedy="materialise one partition in each run",
            )
        return {key: value[key] for key in keys}

    def _publish(self, context: PartitionContext, artifacts: ArtifactIOManager, output: dg.Output[Any]) -> Any:
        attempt = attempt_of(context, artifacts)
        stored = artifacts.published(context.asset_key, context.partition_key, output.value, attempt)
        reads = {
            name: keys
            for name, keys in self._reads(context.partition_key)
            if isinstance(self.arguments[name], PartitionedInput)
        }
        return partition_materialization(context, {**output.metadata, **stored}, output.data_version, reads)

    def _fail(self, context: PartitionContext, reason: str) -> None:
        context.log.error("%s failed; the range goes on\n%s", location_of(context), reason)
        self.failed[context.partition_key] = reason

    def _failure(self) -> AssayError:
        keys = sorted(self.failed)
        return PartitionsFailedError(
            f"{len(keys)} of {len(self.context.partition_keys)} partitions failed; the others were published",
            where=self.context.asset_key.to_user_string(),
            found="\n".join(f"{key}: {self.failed[key]}" for key in keys),
            remedy=f"correct what the reasons name, then materialise {', '.join(keys)} again",
        )


@contextmanager
def _cheap_collections() -> Iterator[None]:
    """Exclude existing objects, most of them loaded libraries, from garbage collection."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
