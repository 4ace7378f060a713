"""Devices of a pool on this machine, such as GPUs: each is held by one step at a time.

A lock of the kernel on a file of each device holds it, which ends with its process, however that ends. Dagster's pools
count runs, and do not say which slot a run has.
"""

import fcntl
import random
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from assay.errors import SettingError
from resources.settings import Settings, exchange_variable

_CUDA = "CUDA_VISIBLE_DEVICES"
_WAIT = 0.5
_random = random.SystemRandom()


def devices_of_pools(settings: Settings) -> dict[str, list[str]]:
    """Return the names of each pool's devices on this machine."""
    pools = (each.partition("=") for each in settings.pool_devices.split())
    return {pool: devices.split(",") for pool, _, devices in pools}


def device_locks(settings: Settings) -> Path:
    """Return the folder of this machine's locks of devices, also where machines share the home."""
    return settings.home / "devices" / socket.gethostname()


@contextmanager
def held_devices(
    folder: Path, pool: str, devices: Sequence[str], count: int, waits: Callable[[str], None]
) -> Iterator[tuple[str, ...]]:
    """Hold some devices of a pool, and let CUDA see no others; wait until so many are free.

    Args:
        folder: where their locks are, on this machine.
        pool: name of the pool.
        devices: names of all its devices here, as CUDA takes them.
        count: how many to hold.
        waits: is called with a sentence, once, before it waits.

    Raises:
        SettingError: the pool has fewer devices on this machine.
    """
    require_devices(pool, devices, count)
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as locks:
        held = _claimed(folder, pool, devices, count, locks)
        if not held:
            waits(f"waits for {count} of the {len(devices)} devices of the pool {pool}")
        while not held:
            time.sleep(_WAIT * _random.uniform(0.5, 1.5))  # so that two steps do not hold halves for ever
            held = _claimed(folder, pool, devices, count, locks)
        with _visible_devices(held):
            yield held


def require_devices(pool: str, devices: Sequence[str], count: int) -> None:
    """Refuse to wait for devices that there are not.

    Raises:
        SettingError: the pool has fewer devices on this machine.
    """
    if count > len(devices):
        raise SettingError(
            f"the pool {pool} has too few devices on this machine",
            where="ASSAY_POOL_DEVICES",
            found=f"{pool}={','.join(devices)}" if devices else f"no devices of {pool}",
            expected=f"at least {count}, as execution.pool_slots says",
            remedy="name the pool's devices in the environment of the process that runs steps, or lower pool_slots",
        )


def _claimed(folder: Path, pool: str, devices: Sequence[str], count: int, locks: ExitStack) -> tuple[str, ...]:
    """Return the devices that are held from now on; none where too few are free."""
    with ExitStack() as attempt:
        held: list[str] = []
        for device in devices:
            lock = attempt.enter_context((folder / f"{pool}={quote(device, safe='')}").open("ab"))
            if _is_free(lock):
                held.append(device)
            if len(held) == count:
                locks.push(attempt.pop_all())
                return tuple(held)
    return ()


def _is_free(lock: BinaryIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _visible_devices(devices: Sequence[str]) -> Iterator[None]:
    """Let CUDA see these devices alone, in this process until it loads CUDA, and in those that it starts."""
    earlier = exchange_variable(_CUDA, ",".join(devices))
    try:
        yield
    finally:
        exchange_variable(_CUDA, earlier)
