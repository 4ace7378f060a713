"""Supervision of a step: time limit and retries around each of its parts.

A step has several parts with Dagster's own code between them: inputs are loaded, the body runs, outputs are published.
"""

import functools
import inspect
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

import dagster as dg
from pydantic import PrivateAttr

from assay.errors import AssayError
from assay.specs.operations import StepPolicy
from ml_assets.console_lines import shorten_console
from ml_assets.dagster_internals import Step, step_of
from ml_assets.supervision.memory_limit import BoundedStep, within_memory
from ml_assets.supervision.processes import end_with_the_run
from ml_assets.supervision.run_liveness import require_wanted
from ml_assets.supervision.time_limit import TimedStep, within_time_limit
from resources.artifacts.io_manager import ArtifactIOManager, is_in_step
from resources.artifacts.store import ArtifactStore, Attempt

POLICY_TAG = "assay/step_policy"
Body: TypeAlias = Callable[..., Any]
_JITTER = 0.25
_random = random.SystemRandom()


def policy_tags(policy: StepPolicy) -> dict[str, str]:
    """Return the tags by which an asset's operation carries its policy."""
    return {POLICY_TAG: policy.model_dump_json()}


def policy_of(step: Step) -> StepPolicy:
    """Return the policy that the asset was built with; the default for other assets."""
    stored = step.tags.get(POLICY_TAG)
    return StepPolicy.model_validate_json(stored) if stored else StepPolicy()


def supervised_body(body: Body) -> Body:
    """Return a body that runs within its step's supervision.

    Args:
        body: takes the step's context first; returns a value or a generator of events.
    """

    @functools.wraps(body)
    def step(context: dg.AssetExecutionContext, **arguments: Any) -> Any:
        ends_processes = _ends_processes(context)
        with supervised(step_of(context), ends_processes=ends_processes):
            made = body(context, **arguments)
        if not inspect.isgenerator(made):
            return made
        return _parts(made, lambda: supervised(step_of(context), ends_processes=ends_processes))

    return step


@contextmanager
def supervised(step: Step, *, ends_processes: bool = True) -> Iterator[None]:
    """Run a part of a step within the step's time; a transient failure makes Dagster run the step again later.

    Raises:
        dagster.RetryRequested: a transient failure, to be retried.
        StepTimeoutError: the step's time is up.
        StepMemoryError: the step's processes take more memory than it may.
        AssayError: any other failure, or a transient one after the last retry.
    """
    policy = policy_of(step)
    if ends_processes:
        end_with_the_run(step.instance, step.run_id)
    # in a range run the limit holds for each partition
    seconds = None if step.makes_range else policy.timeout_seconds
    timed = _timed(step, seconds, ends_process=ends_processes)
    bounded = BoundedStep(step.key, policy.memory_mb, step.log.error, ends_processes)
    retried = transient_failures_retried(policy, step.previous_attempts)
    with retried, within_memory(bounded), within_time_limit(timed):
        yield


def timed_partition(context: dg.AssetExecutionContext, parts: Iterator[Any]) -> Iterator[Any]:
    """Run what makes one partition of a range, within the time limit of one partition.

    Raises:
        StepTimeoutError: the partition's time is up.
    """
    step, ends_processes = step_of(context), _ends_processes(context)
    seconds = policy_of(step).timeout_seconds
    timed = _timed(step, seconds, context.partition_key, ends_process=ends_processes)
    yield from _parts(parts, lambda: within_time_limit(timed))


@contextmanager
def transient_failures_retried(policy: StepPolicy, previous_attempts: int) -> Iterator[None]:
    """Turn a transient failure into Dagster's request to run the step again later.

    Args:
        policy: number of retries and their wait; each wait varies by a quarter, so that steps which failed
            together are not retried together.
        previous_attempts: attempts of this step that failed before.

    Raises:
        dagster.RetryRequested: the failure is transient and may be retried.
        AssayError: unchanged, if it is permanent or was retried often enough.
    """
    try:
        yield
    except AssayError as error:
        if not error.transient or previous_attempts >= policy.max_retries:
            raise
        wait = policy.wait_before_retry(previous_attempts) * _random.uniform(1 - _JITTER, 1 + _JITTER)
        raise dg.RetryRequested(max_retries=policy.max_retries, seconds_to_wait=wait) from error


class SupervisedArtifacts(ArtifactIOManager):
    """Loads inputs and publishes outputs under the step's supervision, and only for runs in progress.

    The run's status is checked right before a value becomes visible. The instance and the store are two systems: a
    process that is suspended between that check and the conditional put, for longer than it takes to declare its run
    dead, is not caught.
    """

    ends_processes: bool = True
    """Whether a step's process may be killed, when its time is up or its run is over."""
    pool_devices: dict[str, list[str]] = {}
    """Devices of this machine by the pool whose steps hold them."""
    device_locks: str = ""
    """Folder of their locks."""
    _instance: dg.DagsterInstance | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Keep the instance that records the runs."""
        self._instance = context.instance

    def artifacts(self) -> ArtifactStore:
        """Return the store; outside of runs there is no status to check."""
        store = super().artifacts()
        store.before_publishing = self._require_wanted
        return store

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Publish an asset's value, as `ArtifactIOManager` does.

        Raises:
            RunAbandonedError: the run is over.
            StepTimeoutError: the step's time is up.
        """
        with supervised(step_of(context), ends_processes=self.ends_processes):
            super().handle_output(context, obj)

    def load_input(self, context: dg.InputContext) -> Any:
        """Read upstream partitions, as `ArtifactIOManager` does; outside of a step nothing is supervised.

        Raises:
            StepTimeoutError: the step's time is up.
        """
        if not is_in_step(context):
            return super().load_input(context)
        shorten_console(context.log)
        with supervised(step_of(context), ends_processes=self.ends_processes):
            return super().load_input(context)

    def _require_wanted(self, attempt: Attempt) -> None:
        if self._instance is not None:
            require_wanted(self._instance, attempt.run_id, where=f"attempt {attempt.attempt_id}")


def _ends_processes(context: dg.AssetExecutionContext) -> bool:
    """Return the deployment's setting, which the resource of every asset carries."""
    artifacts = context.resources.artifact_io_manager
    return isinstance(artifacts, SupervisedArtifacts) and artifacts.ends_processes


def _timed(step: Step, seconds: float | None, partition: str = "", *, ends_process: bool) -> TimedStep:
    return TimedStep(
        identity=(step.run_id, step.key, step.previous_attempts, partition),
        where=f"{step.key}, partition {partition}" if partition else step.key,
        seconds=seconds,
        log_error=step.log.error,
        ends_process=ends_process,
    )


def _parts(parts: Iterator[Any], around: Callable[[], AbstractContextManager[None]]) -> Iterator[Any]:
    """Supervise a generator while it runs, and not while Dagster handles what it has yielded."""
    while True:
        with around():
            try:
                part = next(parts)
            except StopIteration:
                return
        yield part
