"""Executors made of executors; what of Dagster's private interface they need, beside `dagster_internals`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeAlias, cast

import dagster as dg
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig

Around: TypeAlias = Callable[[dg.DagsterInstance, str], AbstractContextManager[None]]
StepTags: TypeAlias = Sequence[Mapping[str, str]]
"""The tags of the operation of each step of a run."""
_Events: TypeAlias = Iterator[dg.DagsterEvent]
Watch: TypeAlias = Callable[[dg.DagsterInstance, dg.DagsterRun, dg.DagsterLogManager, _Events], _Events]
"""Passes the events of a run on."""
_Execution: TypeAlias = Callable[[PlanOrchestrationContext, _Events], _Events]
_Create: TypeAlias = Callable[[dg.InitExecutorContext], dg.Executor]


def executor_within(definition: dg.ExecutorDefinition, around: Around) -> dg.ExecutorDefinition:
    """Return an executor of the same name and configuration that executes every plan within a context manager."""

    def within(plan: PlanOrchestrationContext, events: _Events) -> _Events:
        with around(plan.instance, plan.run_id):
            yield from events

    return _executor_of(definition, within)


def executor_watched(definition: dg.ExecutorDefinition, watch: Watch) -> dg.ExecutorDefinition:
    """Return an executor of the same name and configuration whose events pass through a generator.

    Relies on `PlanOrchestrationContext.dagster_run` and its `log`, and on executors that yield the events of all steps.
    """
    return _executor_of(definition, lambda plan, events: watch(plan.instance, plan.dagster_run, plan.log, events))


def executor_chosen(
    contained: dg.ExecutorDefinition, otherwise: dg.ExecutorDefinition, wants: Callable[[StepTags], bool]
) -> dg.ExecutorDefinition:
    """Return an executor that leaves each run to one of two; its configuration has theirs as `contained` and `process`.

    The first is created for the runs that want it only. Relies on `InitExecutorContext._replace`, and on the parts of
    an executor's definition.

    Args:
        contained: the executor of the runs that want it.
        otherwise: the executor of other runs.
        wants: whether a run wants the first, by the tags of its steps.
    """

    def create(context: dg.InitExecutorContext) -> dg.Executor:
        parts = cast("Mapping[str, Mapping[str, object]]", context.executor_config)
        create_contained, create_other = (cast("_Create", each.executor_creation_fn) for each in (contained, otherwise))
        return _Chosen(
            lambda: create_contained(context._replace(executor_config=parts["contained"])),
            create_other(context._replace(executor_config=parts["process"])),
            wants,
        )

    return dg.ExecutorDefinition(
        name=contained.name,
        config_schema=cast("Any", {"contained": _field_of(contained), "process": _field_of(otherwise)}),
        requirements=otherwise.get_requirements({}),
        executor_creation_fn=create,
    )


def executor_announced(
    definition: dg.ExecutorDefinition, announce: Callable[[StepTags, dg.DagsterLogManager], None]
) -> dg.ExecutorDefinition:
    """Return an executor of the same name and configuration that first calls a function.

    Args:
        definition: of the executor.
        announce: gets the tags of the run's steps, and its log.
    """
    create = cast("_Create", definition.executor_creation_fn)
    return _like(definition, lambda context: _Announced(create(context), announce))


def with_step_handler(definition: dg.ExecutorDefinition, other: Callable[[Any], Any]) -> dg.ExecutorDefinition:
    """Return an executor that delegates steps, with another handler made of its own.

    Relies on `StepDelegatingExecutor._step_handler`.
    """
    create = cast("_Create", definition.executor_creation_fn)

    def created(context: dg.InitExecutorContext) -> dg.Executor:
        executor: Any = create(context)
        executor._step_handler = other(executor._step_handler)  # noqa: SLF001
        return cast("dg.Executor", executor)

    return _like(definition, created)


def _field_of(definition: dg.ExecutorDefinition) -> Any:
    return cast("Any", definition.config_schema).as_field()


def _executor_of(definition: dg.ExecutorDefinition, execute: _Execution) -> dg.ExecutorDefinition:
    """Return an executor that executes plans in another way.

    Relies on the interface of `dagster.Executor`, and on the parts of an executor's definition.
    """
    create = cast("_Create", definition.executor_creation_fn)
    return _like(definition, lambda context: _OtherwiseExecuted(create(context), execute))


def _like(definition: dg.ExecutorDefinition, create: _Create) -> dg.ExecutorDefinition:
    return dg.ExecutorDefinition(
        name=definition.name,
        config_schema=cast("Any", definition.config_schema),
        requirements=definition.get_requirements,
        executor_creation_fn=create,
        description=definition.description,
    )


class _Wrapped(dg.Executor):
    def __init__(self, executor: dg.Executor) -> None:
        self._executor = executor

    @property
    def retries(self) -> RetryMode:
        return self._executor.retries

    @property
    def step_dependency_config(self) -> StepDependencyConfig:
        return self._executor.step_dependency_config


class _OtherwiseExecuted(_Wrapped):
    def __init__(self, executor: dg.Executor, execute: _Execution) -> None:
        super().__init__(executor)
        self._execute = execute

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> _Events:
        yield from self._execute(plan_context, self._executor.execute(plan_context, execution_plan))


class _Announced(_Wrapped):
    def __init__(self, executor: dg.Executor, announce: Callable[[StepTags, dg.DagsterLogManager], None]) -> None:
        super().__init__(executor)
        self._announce = announce

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> _Events:
        self._announce(_tags_of(execution_plan), plan_context.log)
        yield from self._executor.execute(plan_context, execution_plan)


class _Chosen(_Wrapped):
    def __init__(
        self, create_contained: Callable[[], dg.Executor], otherwise: dg.Executor, wants: Callable[[StepTags], bool]
    ) -> None:
        super().__init__(otherwise)
        self._create_contained = create_contained
        self._wants = wants

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> _Events:
        wanted = self._wants(_tags_of(execution_plan))
        executor = self._create_contained() if wanted else self._executor
        yield from executor.execute(plan_context, execution_plan)


def _tags_of(plan: ExecutionPlan) -> StepTags:
    """Return the tags of the steps that a run executes. Relies on the plan's steps and their tags."""
    return [plan.get_step_by_key(key).tags or {} for key in plan.step_keys_to_execute]
