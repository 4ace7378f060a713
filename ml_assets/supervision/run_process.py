"""A run's own process: it gives signs of life, and ends when its run was declared dead."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import dagster as dg
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig

from ml_assets.supervision.step_process import end_this_process, hosts_runs, known_unwanted
from resources.run_liveness import own_heartbeat, record_heartbeat

_BEAT_SECONDS = 5.0
_log = logging.getLogger(__name__)


class SupervisedExecutor(dg.Executor):
    """Executes runs as another executor does, and keeps giving signs of life meanwhile."""

    def __init__(self, executor: dg.Executor) -> None:
        self._executor = executor

    @property
    def retries(self) -> RetryMode:
        """As the executor says."""
        return self._executor.retries

    @property
    def step_dependency_config(self) -> StepDependencyConfig:
        """As the executor says."""
        return self._executor.step_dependency_config

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """Execute a plan."""
        hosts_runs()
        with _signs_of_life(plan_context.instance, plan_context.run_id):
            yield from self._executor.execute(plan_context, execution_plan)


def supervised_executor(definition: dg.ExecutorDefinition) -> dg.ExecutorDefinition:
    """Return an executor of the same name and configuration that gives signs of life.

    Args:
        definition: one of Dagster's executors.
    """
    create, schema = definition.executor_creation_fn, cast("Any", definition.config_schema)
    assert create is not None  # noqa: S101 - Dagster's own definitions have one

    return dg.ExecutorDefinition(
        name=definition.name,
        config_schema=schema,
        requirements=definition.get_requirements,
        executor_creation_fn=lambda context: SupervisedExecutor(create(context)),
        description=definition.description,
    )


@contextmanager
def _signs_of_life(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    over = threading.Event()
    thread = threading.Thread(target=_beat, args=(instance, run_id, over), name="assay-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()  # what it reads after this would be the run's own success


def _beat(instance: dg.DagsterInstance, run_id: str, over: threading.Event) -> None:
    count = 0
    while True:
        count += 1
        try:
            record_heartbeat(instance, run_id, own_heartbeat(count))
        except Exception as error:  # noqa: BLE001 - any database's failure; the next beat is due soon
            _log.warning("the heartbeat of run %s was not recorded: %s", run_id, type(error).__name__)
        if over.wait(_BEAT_SECONDS):
            return
        if known_unwanted(instance, run_id):
            end_this_process(f"run {run_id} was declared dead")
