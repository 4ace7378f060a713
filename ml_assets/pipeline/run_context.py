"""What an asset's body reads of the step it runs in, and of the partition it makes."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar, cast

import dagster as dg

from assay.specs import PipelineSpec
from ml_assets.dagster_internals import code_version_of, op_context_of, step_of
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.store import Attempt

Value = TypeVar("Value")


class Scope(ExitStack):
    """Values that are made once, by name, and what was opened for them, until the scope ends."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[Hashable, Any] = {}

    def once(self, name: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of a name; `make` is called the first time."""
        if name not in self._made:
            self._made[name] = make()
        return cast("Value", self._made[name])


class PartitionContext(dg.AssetExecutionContext):
    """The context of one partition, in a step that makes a range."""

    def __init__(self, step: dg.AssetExecutionContext, partition: str, scope: Scope) -> None:
        super().__init__(op_context_of(step))
        self.scope_of_range = scope
        self._partition = partition

    @property
    def has_partition_key(self) -> bool:
        """Always true."""
        return True

    @property
    def partition_key(self) -> str:
        """Key of the partition."""
        return self._partition

    @property
    def partition_keys(self) -> list[str]:
        """The partition's key alone."""
        return [self._partition]

    @property
    def partition_time_window(self) -> dg.TimeWindow:
        """Time window of the partition."""
        partitions = self.assets_def.partitions_def
        if not isinstance(partitions, dg.TimeWindowPartitionsDefinition):
            return cast("dg.TimeWindow", super().partition_time_window)
        return partitions.time_window_for_partition_key(self._partition)


def makes_range(context: dg.AssetExecutionContext) -> bool:
    """Return whether the context stands for a range of partitions, and not for one of them."""
    return not context.has_partition_key and step_of(context).makes_range


@contextmanager
def scope_of(context: dg.AssetExecutionContext, *, lasting: bool) -> Iterator[Scope]:
    """Give the scope of the range if `lasting`; otherwise one that ends with the `with` statement."""
    if lasting and isinstance(context, PartitionContext):
        yield context.scope_of_range
        return
    with Scope() as scope:
        yield scope


def partition_of(context: dg.AssetExecutionContext) -> str | None:
    """Return the partition key; None without partitions."""
    return context.partition_key if context.has_partition_key else None


def location_of(context: dg.AssetExecutionContext) -> str:
    """Return asset and partition, for messages."""
    partition = partition_of(context)
    asset = context.asset_key.to_user_string()
    return f"{asset}, partition {partition}" if partition else asset


def attempt_of(context: dg.AssetExecutionContext, artifacts: ArtifactIOManager) -> Attempt:
    """Return this try of the step to publish, with what it has read."""
    run_id, step = context.run.run_id, step_of(context).key
    return Attempt(
        run_id=run_id,
        attempt_id=f"{run_id}-{step}-{context.retry_number}",
        code_version=code_version_of(context),
        inputs=artifacts.inputs_of(run_id, step),
        properties=artifacts.facts_of(run_id, step),
    )


def asset_key(spec: PipelineSpec, name: str) -> dg.AssetKey:
    """Return the key of one of a pipeline's assets."""
    return dg.AssetKey([spec.name, name])
