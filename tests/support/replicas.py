"""Replicas of the endpoint: processes with homes and ports of their own over the same stores, as pods have them."""

import http.client
import json
import multiprocessing
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from servers import free_port

from resources.settings import Settings
from serving.processes import log_to_standard_error, serve

# a module that cannot be imported is left out without a word
_PRELOADED = [
    "sklearn.linear_model", "sklearn.compose", "skops.io", "mlflow.tracking", "duckdb", "pandas", "uvicorn", "matplotlib",
    "serving.application", "serving.champion_follower", "serving.challenger_follower", "serving.logged_answers",
    "assay.learning.persistence", "assay.learning.preprocessing.transformers", "resources.mlflow.registry",
]  # fmt: skip


def _serve(settings: dict[str, Any], name: str) -> None:
    log_to_standard_error()
    serve(Settings(**settings), name)


@dataclass
class Replica:
    """One process of the endpoint; it may be started again in its home, as a container is."""

    settings: dict[str, Any]
    pipeline: str
    process: Any = None

    @property
    def port(self) -> int:
        return self.settings["serve_port"]

    @property
    def spool(self) -> list[Path]:
        """Files of rows that the store does not have yet."""
        return [path for path in (self.settings["home"] / "serving").rglob("*") if path.is_file()]

    def start(self) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_PRELOADED)
        self.process = context.Process(target=_serve, args=(self.settings, self.pipeline), daemon=True)
        self.process.start()

    def wait_until_ready(self, seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while not self._is_ready():
            assert self.process.is_alive(), f"the endpoint ended with {self.process.exitcode}"
            assert time.monotonic() < deadline, "the endpoint is not ready"
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def kill(self) -> None:
        """End it as kill -9 does."""
        self.process.kill()
        self.process.join(60)

    def stop(self) -> None:
        self.process.terminate()
        self.process.join(60)


@contextmanager
def replicas(settings: Settings, pipeline: str, number: int):
    """Start replicas over the stores of some settings, and end them."""
    shared = {
        "pipelines_dir": settings.pipelines_dir,
        "storage_uri": str(settings.home / "store"),
        "mlflow_tracking_uri": settings.tracking_uri,
        "serve_processes": 1,
        "serve_poll_seconds": 60.0,
    }
    homes = [settings.home.parent / f"replica-{each}" for each in range(number)]
    made = [Replica({**shared, "home": home, "serve_port": free_port()}, pipeline) for home in homes]
    try:
        for each in made:
            each.start()
        for each in made:
            each.wait_until_ready()
        yield made
    finally:
        for each in made:
            if each.process.is_alive():
                each.kill()


@dataclass(frozen=True)
class Answered:
    """What a client knows of one answered request."""

    replica: int
    request_id: str
    key: str
    arm: str
    logged: str


@dataclass
class Load:
    """Clients that ask replicas one request after the other; a replica that does not answer is asked again later."""

    replicas: list[Replica]
    row: dict[str, Any]
    keys: list[str]
    answers: list[Answered] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self):
        threads = [
            threading.Thread(target=self._ask, args=[number], daemon=True) for number in range(len(self.replicas))
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(60)

    def of(self, replica: int) -> list[Answered]:
        return [each for each in list(self.answers) if each.replica == replica]

    def wait_for(self, replica: int, answers: int, seconds: float = 120) -> None:
        """Wait until a replica has answered so many further requests."""
        wanted, deadline = len(self.of(replica)) + answers, time.monotonic() + seconds
        while len(self.of(replica)) < wanted:
            assert time.monotonic() < deadline, f"replica {replica} does not answer"
            time.sleep(0.02)

    def _ask(self, replica: int) -> None:
        connection, number = None, replica
        while not self._stop.is_set():
            key, request_id, number = self.keys[number % len(self.keys)], uuid.uuid4().hex, number + 1
            body = json.dumps({"rows": [{**self.row, "id": key}]})
            headers = {"Content-Type": "application/json", "X-Request-Id": request_id}
            try:
                connection = connection or http.client.HTTPConnection(
                    "127.0.0.1", self.replicas[replica].port, timeout=30
                )
                connection.request("POST", "/predict", body, headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                connection = None
                time.sleep(0.05)
                continue
            if answer.status != 200:
                self.refused.append(answer.status)
                continue
            arm, logged = answer.headers["x-model-arm"], answer.headers["x-prediction-log"]
            self.answers.append(Answered(replica, request_id, key, arm, logged))
