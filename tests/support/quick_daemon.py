"""`dagster-daemon` without its pauses: what it does every 5 to 60 seconds, it does every second.

A program with the arguments of `dagster-daemon`. The intervals that sensors are shipped with are asserted elsewhere.
"""

import os
import sys

os.environ["DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS"] = "1"

from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._daemon import cli, controller, sensor

PAUSE_SECONDS = 1


def _is_under_pause(state: object, *_: object) -> bool:
    elapsed = sensor.get_elapsed(state)
    return elapsed is not None and elapsed < PAUSE_SECONDS


def main() -> None:
    sensor.MIN_INTERVAL_LOOP_TIME = PAUSE_SECONDS
    sensor.is_under_min_interval = _is_under_pause
    QueuedRunCoordinator.dequeue_interval_seconds = PAUSE_SECONDS
    controller.THREAD_CHECK_INTERVAL = PAUSE_SECONDS
    cli.main()


if __name__ == "__main__":
    sys.exit(main())
