"""The step that is being supervised, and everything that holds while a part of it runs.

A step has several parts, and user code around them: inputs are loaded, the body runs, outputs are published.

Repetition of what failed for a reason that passes, and of nothing else.

Supervision around the body of an asset.
"""

import functools
import inspect
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

import dagster as dg
from dagster._core.execution.context.system import StepExecutionContext

from assay.errors import AssayError
from assay.specs.operations import StepPolicy
from ml_assets.pipeline.run_context import step_makes_many
from ml_assets.supervision.step_process import end_with_the_run
from ml_assets.supervision.time_limit import TimedStep, within_time_limit

_JITTER = 0.25
_random = random.SystemRandom()


@contextmanager
def transient_failures_retried(policy: StepPolicy, previous_attempts: int) -> Iterator[None]:
    """Turn a transient failure into Dagster's request to run the step again later.

    Args:
        policy: how often, and after which wait; each wait is spread by a quarter, so that steps which failed
            together do not come back together.
        previous_attempts: attempts of this step that failed before.

    Raises:
        dagster.RetryRequested: the failure is transient and may be repeated.
        AssayError: as it came, if it is lasting or was repeated often enough.
    """
    try:
        yield
    except AssayError as error:
        if not error.transient or previous_attempts >= policy.max_retries:
            raise
        wait = policy.wait_before_retry(previous_attempts) * _random.uniform(1 - _JITTER, 1 + _JITTER)
        raise dg.RetryRequested(max_retries=policy.max_retries, seconds_to_wait=wait) from error


POLICY_TAG = "assay/step_policy"


@contextmanager
def supervised(step: StepExecutionContext) -> Iterator[None]:
    """Run a part of a step: within the step's time, repeated later if it fails for a reason that passes.

    Args:
        step: Dagster's context of the step; its policy is a tag of the asset's operation.

    Raises:
        dagster.RetryRequested: a transient failure, to be repeated.
        StepTimeoutError: the step's time is up.
        AssayError: any other failure, or a transient one that was repeated often enough.
    """
    policy = policy_of(step)
    end_with_the_run(step.instance, step.run_id)
    # a step that makes many partitions has the time of one for each of them
    timed = _timed(step, None if step_makes_many(step) else policy.timeout_seconds)
    with transient_failures_retried(policy, step.previous_attempt_count), within_time_limit(timed):
        yield


@contextmanager
def within_time_of_partition(step: StepExecutionContext, partition: str) -> Iterator[None]:
    """Run a part of the work on one partition of many; the time begins with the partition's first part.

    Raises:
        StepTimeoutError: the partition's time is up.
    """
    with within_time_limit(_timed(step, policy_of(step).timeout_seconds, partition)):
        yield


def policy_of(step: StepExecutionContext) -> StepPolicy:
    """Return the policy that the asset was built with; the default for assets that say nothing."""
    said = step.op.tags.get(POLICY_TAG)
    return StepPolicy.model_validate_json(said) if said else StepPolicy()


def _timed(step: StepExecutionContext, seconds: float | None, partition: str = "") -> TimedStep:
    return TimedStep(
        identity=(step.run_id, step.step.key, step.previous_attempt_count, partition),
        where=f"{step.step.key}, partition {partition}" if partition else step.step.key,
        seconds=seconds,
        tell=step.log.error,
    )


def policy_tags(policy: StepPolicy) -> dict[str, str]:
    """Return the tags by which an asset's operation carries its policy."""
    return {POLICY_TAG: policy.model_dump_json()}


def step_of(context: dg.AssetExecutionContext) -> StepExecutionContext:
    """Return Dagster's context of the step that an asset's body runs in."""
    step: StepExecutionContext = context.op_execution_context.get_step_execution_context()
    return step


Body: TypeAlias = Callable[..., Any]


def supervised_body(body: Body) -> Body:
    """Return a body with the same signature that runs within its step's supervision.

    Args:
        body: takes the step's context first; returns a value or a generator of events.
    """

    @functools.wraps(body)
    def step(context: dg.AssetExecutionContext, **arguments: Any) -> Any:
        with supervised(step_of(context)):
            made = body(context, **arguments)
        return _parts(made, lambda: supervised(step_of(context))) if inspect.isgenerator(made) else made

    return step


def timed_partition(context: dg.AssetExecutionContext, parts: Iterator[Any]) -> Iterator[Any]:
    """Run what makes one partition of many, within the time of one.

    Raises:
        StepTimeoutError: the partition's time is up.
    """
    yield from _parts(parts, lambda: within_time_of_partition(step_of(context), context.partition_key))


def _parts(parts: Iterator[Any], around: Callable[[], AbstractContextManager[None]]) -> Iterator[Any]:
    """Supervise a generator while it runs, not while Dagster handles what it has yielded, which is a part by itself."""
    while True:
        with around():
            try:
                part = next(parts)
            except StopIteration:
                return
        yield part
