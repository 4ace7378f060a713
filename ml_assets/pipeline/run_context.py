"""What an asset's body needs to know of the step it runs in, and of the partition it makes."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar, cast

import dagster as dg
from dagster._core.execution.context.system import StepExecutionContext

from assay.specs import PipelineSpec

Value = TypeVar("Value")


class Scope(ExitStack):
    """What is opened or made once for all who ask for it by the same name, until the scope ends."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[Hashable, Any] = {}

    def once(self, name: Hashable, make: Callable[[], Value]) -> Value:
        """Return what `make` gave when the name was first asked for."""
        if name not in self._made:
            self._made[name] = make()
        return cast("Value", self._made[name])


class PartitionContext(dg.AssetExecutionContext):
    """A step that makes many partitions, as the body sees it that makes one of them."""

    def __init__(self, step: dg.AssetExecutionContext, partition: str, scope: Scope) -> None:
        super().__init__(step.op_execution_context)
        self.scope_of_range = scope
        self._partition = partition

    @property
    def has_partition_key(self) -> bool:
        """There is one."""
        return True

    @property
    def partition_key(self) -> str:
        """The partition that is made now."""
        return self._partition

    @property
    def partition_keys(self) -> list[str]:
        """The same, as a list."""
        return [self._partition]

    @property
    def partition_time_window(self) -> dg.TimeWindow:
        """The span of the partition that is made now."""
        partitions = self.assets_def.partitions_def
        if not isinstance(partitions, dg.TimeWindowPartitionsDefinition):
            return cast("dg.TimeWindow", super().partition_time_window)
        return partitions.time_window_for_partition_key(self._partition)


def makes_many(context: dg.AssetExecutionContext) -> bool:
    """Return whether the step makes a range of partitions."""
    # a context of one of them says that it has a key
    return not context.has_partition_key and step_makes_many(context.get_step_execution_context())


def step_makes_many(step: StepExecutionContext) -> bool:
    """Return whether a step makes a range of partitions."""
    return step.entity_partitions_def is not None and step.has_partition_key_range and not step.has_partition_key


@contextmanager
def scope_of(context: dg.AssetExecutionContext, *, lasting: bool) -> Iterator[Scope]:
    """Give the scope of the range where it may last beyond one partition, and else one that ends with the `with`."""
    if lasting and isinstance(context, PartitionContext):
        yield context.scope_of_range
        return
    with Scope() as scope:
        yield scope


def partition_of(context: dg.AssetExecutionContext) -> str | None:
    """Return the step's partition key; None without partitions."""
    return context.partition_key if context.has_partition_key else None


def place_of(context: dg.AssetExecutionContext) -> str:
    """Return asset and partition as people read them."""
    partition = partition_of(context)
    asset = context.asset_key.to_user_string()
    return f"{asset}, partition {partition}" if partition else asset


def asset_key(spec: PipelineSpec, name: str) -> dg.AssetKey:
    """Return the key of one of a pipeline's assets."""
    return dg.AssetKey([spec.name, name])
