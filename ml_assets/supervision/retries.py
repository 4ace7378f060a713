"""Repetition of what failed for a reason that passes, and of nothing else.

Does not belong here: which failures pass (`AssayError.transient`), how often and when (`StepPolicy`).
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from assay.errors import AssayError
from assay.specs.operations import StepPolicy

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
