"""Telling an observer beside the run: in a thread of its own, until it fails for the first time."""

import queue
import threading
from collections.abc import Callable
from logging import Logger
from typing import TypeAlias

from resources.observers.interface import ObserverKind, RunObserver
from resources.settings import Settings

_Call: TypeAlias = Callable[[RunObserver], None]
LAST_SECONDS = 30.0
"""How long the end of a run waits for an observer."""


class Told:
    """One observer of one run. A failure is logged once, in the caller's thread, and ends the telling."""

    def __init__(self, kind: ObserverKind, settings: Settings, log: Logger) -> None:
        self._kind, self._settings, self._log = kind, settings, log
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._failure: Exception | None = None
        self._said = False
        self._thread = threading.Thread(target=self._work, name=f"observer {kind.name}", daemon=True)
        self._thread.start()

    def tell(self, call: _Call) -> None:
        """Have the observer told; does not wait."""
        self._say_failure()
        self._calls.put(call)

    def close(self, seconds: float = LAST_SECONDS) -> None:
        """Wait until the observer was told everything, for some time at most."""
        self._calls.put(None)
        self._thread.join(seconds)
        self._say_failure()
        if self._thread.is_alive():
            self._log.warning("%s (%s) did not take everything within %g s", *self._names, seconds)

    @property
    def _names(self) -> tuple[str, str]:
        return self._kind.name, self._kind.setting

    def _work(self) -> None:
        observer: RunObserver | None = None
        while (call := self._calls.get()) is not None:
            if self._failure is not None:
                continue
            try:
                observer = observer or self._kind.open(self._settings)
                call(observer)
            except Exception as error:  # noqa: BLE001 - no tool beside the platform may fail a run
                self._failure = error

    def _say_failure(self) -> None:
        if self._failure is None or self._said:
            return
        self._said = True
        reason = reason_of(self._failure)
        self._log.warning("%s (%s) is told nothing more of this run, which goes on: %s", *self._names, reason)


def reason_of(error: Exception) -> str:
    """Return the class of an error, and a receiver's status; its text may show addresses with credentials."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"{type(error).__name__}, status {status}" if status else type(error).__name__
