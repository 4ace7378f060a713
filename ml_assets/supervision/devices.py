"""The devices that a step holds: those of its pool, as the deployment names them on this machine."""

import functools
import inspect
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

import dagster as dg

from ml_assets.supervision.step import Body, SupervisedArtifacts
from resources.pool_devices import held_devices, require_devices


def on_devices(body: Body, pool: str | None, slots: int) -> Body:
    """Return a body that runs while its step holds devices of its pool, where the deployment names some.

    Args:
        body: takes the step's context first; returns a value or a generator of events.
        pool: of the step; without one it holds none.
        slots: how many devices.
    """
    if pool is None:
        return body

    @functools.wraps(body)
    def step(context: dg.AssetExecutionContext, **arguments: Any) -> Any:
        with ExitStack() as held:
            held.enter_context(_devices(context, pool, slots))
            made = body(context, **arguments)
            return _parts(made, held.pop_all()) if inspect.isgenerator(made) else made

    return step


def _devices(context: dg.AssetExecutionContext, pool: str, slots: int) -> AbstractContextManager[object]:
    artifacts = context.resources.artifact_io_manager
    devices = artifacts.pool_devices.get(pool, ()) if isinstance(artifacts, SupervisedArtifacts) else ()
    if not devices:
        if slots > 1:
            require_devices(pool, devices, slots)
        return nullcontext()
    return held_devices(Path(artifacts.device_locks), pool, devices, slots, context.log.info)


def _parts(parts: Iterator[Any], held: ExitStack) -> Iterator[Any]:
    with held:
        yield from parts
