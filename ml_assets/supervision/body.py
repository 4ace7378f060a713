"""Supervision around the body of an asset.

Does not belong here: supervision itself (`step`), inputs and outputs (`artifacts`).
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import dagster as dg

from ml_assets.supervision.step import step_of, supervised, within_time_of_partition

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
