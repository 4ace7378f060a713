"""The step that is being supervised, and everything that holds while a part of it runs.

A step has several parts, and user code around them: inputs are loaded, the body runs, outputs are published.
Does not belong here: how any of it is done (`retries`, `time_limit`, `step_process`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster._core.execution.context.system import StepExecutionContext

from assay.specs.operations import StepPolicy
from ml_assets.run_context import step_makes_many
from ml_assets.supervision.retries import transient_failures_retried
from ml_assets.supervision.step_process import end_with_the_run
from ml_assets.supervision.time_limit import TimedStep, within_time_limit

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
