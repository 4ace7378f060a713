"""One run for a range of partitions: a body that makes one partition, called for each of them, oldest first.

Each partition gets what a run of its own would have given it: commit, receipt, checks, data version, events. One that
fails does not hold up the others: later steps of the run pass over it, and the last step fails for it. A partition
whose history before the range is too short is passed over, since every range begins so; alone, it is refused. So is
one without rows that Dagster added to a backfill.
Does not belong here: what a partition's value is (`assets`), the events' content (`range_events`).
"""

import gc
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial, wraps
from typing import Any, get_origin

import dagster as dg

from assay.errors import AssayError, PartitionsFailedError, StepTimeoutError
from ml_assets.backfill_scope import added_by_dagster
from ml_assets.partitions import missing_history, upstream_keys
from ml_assets.range_events import evaluation, materialization, newest_materialization, outputs
from ml_assets.run_context import PartitionContext, Scope, makes_many, place_of
from ml_assets.supervision.body import timed_partition
from resources.artifact_io_manager import ArtifactIOManager
from resources.artifact_store import Attempt
from resources.partitioned_input import PartitionedInput, RangeOutcome

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

    # an output of a range stands for no value, so that it cannot be held against the body's type
    signature = inspect.signature(body)
    step.__signature__ = signature.replace(return_annotation=inspect.Signature.empty)  # type: ignore[attr-defined]
    step.__annotations__ = {name: kind for name, kind in body.__annotations__.items() if name != "return"}
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
