"""Metrics of the endpoint in the format of Prometheus; several processes add them up in a folder of files."""

import os
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from resources.settings import shares_metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ROWS = (1, 10, 100, 1_000, 10_000, 100_000)


class Metrics:
    """What one process counts."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "assay_serving_requests", "Requests by path and status.", ["path", "status"], registry=self._registry
        )
        self.seconds = Histogram(
            "assay_serving_request_seconds", "Time from a request to its answer.", ["path"], buckets=_SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self.rows = Histogram(
            "assay_serving_rows", "Rows of a request by version.", ["version"], buckets=_ROWS, registry=self._registry
        )
        self.refusals = Counter(
            "assay_serving_refusals", "Refused requests by the error's code.", ["code"], registry=self._registry
        )
        self.evaluations = Counter(
            "assay_serving_champion_evaluations",
            "How often the current champion was asked for: current, changed, none, failed.",
            ["outcome"],
            registry=self._registry,
        )
        self.in_progress = Gauge(
            "assay_serving_requests_in_progress",
            "Requests in work.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self.version = Gauge(
            "assay_serving_model_version", "The version that answers; 0 for none.", registry=self._registry,
            multiprocess_mode="liveall",
        )  # fmt: skip

    def followed(self, outcome: str, version: str | None) -> None:
        """Count an evaluation of the champion, and show the version that answers."""
        self.evaluations.labels(outcome).inc()
        self.version.set(float(version) if version and version.isdecimal() else 0)

    def page(self) -> bytes:
        """Return the metrics of all processes of the endpoint."""
        if not shares_metrics():
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def forget_dead_processes(folder: Path) -> None:
    """Remove the present values of processes that have ended; what they counted stays."""
    for file in folder.glob("gauge_live*_*.db"):
        number = file.stem.rpartition("_")[2]
        with suppress(ValueError):
            if not _is_alive(int(number)):
                mark_process_dead(int(number), str(folder))  # type: ignore[no-untyped-call]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
