"""Delivery of a run's events to an observer: in a thread of its own, until the first exception."""

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


class Delivery:
    """Events of one run to one observer. An exception is logged once, in the caller's thread, and ends the delivery."""

    def __init__(self, kind: ObserverKind, settings: Settings, log: Logger) -> None:
        self._kind, self._settings, self._log = kind, settings, log
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._failure: Exception | None = None
        self._logged = False
        self._thread = threading.Thread(target=self._work, name=f"observer {kind.name}", daemon=True)
        self._thread.start()

    def send(self, call: _Call) -> None:
        """Queue a call of the observer; does not wait."""
        self._log_failure()
        self._calls.put(call)

    def close(self, seconds: float = LAST_SECONDS) -> None:
        """Wait until all calls are made, for some time at most."""
        self._calls.put(None)
        self._thread.join(seconds)
        self._log_failure()
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

    def _log_failure(self) -> None:
        if self._failure is None or self._logged:
            return
        self._logged = True
        reason = reason_of(self._failure)
        self._log.warning("%s (%s) gets no further events of this run, which goes on: %s", *self._names, reason)


def reason_of(error: Exception) -> str:
    """Return the class of an error, and a receiver's status; its text may show addresses with credentials."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"{type(error).__name__}, status {status}" if status else type(error).__name__
