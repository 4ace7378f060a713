"""Metrics of the endpoint in the format of Prometheus; several processes add them up in a folder of files."""

import os
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from resources.settings import shares_metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ROWS = (1, 10, 100, 1_000, 10_000, 100_000)


class Metrics:
    """What one process counts."""

    def __init__(self) -> None:
        # times of creation, one for each line; several processes give none anyway
        disable_created_metrics()  # type: ignore[no-untyped-call]
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

        self._add_live_comparison()

    def _add_live_comparison(self) -> None:
        registry = self._registry
        self.arm_rows = Counter(
            "assay_serving_arm_rows", "Answered rows by arm and version.", ["arm", "version"], registry=registry
        )
        self.without_key = Counter(
            "assay_serving_rows_without_key", "Rows outside an experiment, as they have no key.", registry=registry
        )
        self.fallbacks = Counter(
            "assay_serving_challenger_fallback_rows",
            "Rows of the challenger that the champion answered, as the challenger failed.",
            registry=registry,
        )
        self.shadow_rows = Counter(
            "assay_serving_shadow_rows",
            "Rows of the shadow: predicted, dropped, failed.",
            ["outcome"],
            registry=registry,
        )
        self.log_rows = Counter(
            "assay_serving_log_rows", "Rows of the prediction log: stored, dropped, failed.", ["outcome"],
            registry=registry,
        )  # fmt: skip
        self.log_waiting = Gauge(
            "assay_serving_log_waiting_rows", "Rows of the prediction log that the store does not have yet.",
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self.challenger = Gauge(
            "assay_serving_challenger_version", "The version that challenges; 0 for none.", registry=registry,
            multiprocess_mode="liveall",
        )  # fmt: skip

    def logged(self, outcome: str, rows: int) -> None:
        """Count rows of the prediction log."""
        self.log_rows.labels(outcome).inc(rows)

    def waiting(self, rows: int) -> None:
        """Show how many rows of the prediction log wait for the store."""
        self.log_waiting.set(rows)

    def shadowed(self, outcome: str, rows: int) -> None:
        """Count rows of the shadow."""
        self.shadow_rows.labels(outcome).inc(rows)

    def followed(self, outcome: str, version: str | None, challenger: str | None = None) -> None:
        """Count an evaluation of the champion, and show the version that answers, and its challenger."""
        self.evaluations.labels(outcome).inc()
        self.version.set(_number(version))
        self.challenger.set(_number(challenger))

    def page(self) -> bytes:
        """Return the metrics of all processes of the endpoint."""
        if not shares_metrics():
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def _number(version: str | None) -> float:
    return float(version) if version and version.isdecimal() else 0.0


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
