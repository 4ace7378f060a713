"""The endpoint against `mlflow models serve`: the same champion, processes and requests, alternately, over loopback.

    python benchmarks/serving.py [--seconds 1.5] [--rounds 5] [--processes 1 2] [--clients 8]

Trains a champion on the generated bank table in a temporary folder, starts both servers, and asks them for single rows
and for 200 rows at once, over connections that stay open. Answers are compared before anything is measured. A round is
a pair, one server directly after the other, in turns first; a busy machine slows both. Prints throughput, median and
99th percentile of each as medians over the rounds, and the medians of the pairs' ratios with their range: above 1 is
ahead of MLflow. Takes two minutes, and four where other work shares the cores.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from bank_like import write_bank_like

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
ROWS = (1, 200)
PIPELINE = """\
name: bank
task: binary_classification
dataset:
  source: {source}
  target: y
  dialect: {{delimiter: ";"}}
validation: {{sentinel: {{enabled: false}}}}
model: {{candidates: [hist_gradient_boosting]}}
tuning: {{enabled: false}}
"""


@dataclass(frozen=True)
class Server:
    """One of the two.

    Attributes:
        name: for the table.
        port: of loopback.
        path: of predictions.
        key: of the body under which rows are.
    """

    name: str
    port: int
    path: str
    key: str

    def request(self, rows: list[dict[str, object]]) -> bytes:
        """Return a whole request as bytes."""
        body = json.dumps({self.key: rows}).encode()
        lines = ("Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}")
        return "\r\n".join((f"POST {self.path} HTTP/1.1", *lines, "", "")).encode() + body

    def predictions(self, rows: list[dict[str, object]]) -> list[dict[str, object]]:
        """Return what it answers."""
        body = json.dumps({self.key: rows}).encode()
        url = f"http://127.0.0.1:{self.port}{self.path}"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())["predictions"]


@dataclass(frozen=True)
class Load:
    """What one stretch of requests met: the time of each answer in seconds, and how long all took."""

    latencies: list[float]
    failures: int
    seconds: float

    @property
    def rate(self) -> float:
        """Answers each second."""
        return len(self.latencies) / self.seconds

    @property
    def p99(self) -> float:
        """99th percentile of the times."""
        return sorted(self.latencies)[int(len(self.latencies) * 0.99)]


async def load(server: Server, request: bytes, clients: int, seconds: float) -> Load:
    """Send a request again and again on some connections for a time."""
    latencies: list[float] = []
    failures, began = 0, time.perf_counter()

    async def client() -> None:
        nonlocal failures
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**24)
        while time.perf_counter() - began < seconds:
            asked = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
            latencies.append(time.perf_counter() - asked)
            failures += not head.startswith(b"HTTP/1.1 200")
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return Load(latencies, failures, time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="assay-serving-") as folder:
        environment = _trained(Path(folder))
        table = pd.read_csv(Path(folder) / "bank.csv", sep=";", nrows=max(ROWS)).drop(columns="y")
        records = json.loads(table.to_json(orient="records"))
        print(f"{options.clients} connections, {options.rounds} rounds of {options.seconds:g} s each\n")
        print("| processes | rows | server | requests/s | rows/s | median ms | p99 ms | failures |")
        print("|---:|---:|---|---:|---:|---:|---:|---:|")
        ratios = []
        for processes in options.processes:
            with ExitStack() as stack:
                started = [stack.enter_context(each) for each in _servers(Path(folder), environment, processes)]
                ours, theirs = (wait() for wait in started)
                _require_same([ours, theirs], records)
                for rows in ROWS:
                    pairs = _measured(ours, theirs, records[:rows], options)
                    for number, server in enumerate((ours, theirs)):
                        print(_line(processes, rows, server, [pair[number] for pair in pairs]), flush=True)
                    ratios.append(_ratio_line(processes, rows, pairs))
        print("\n| processes | rows | throughput, times MLflow's | p99, MLflow's divided by ours |")
        print("|---:|---:|---:|---:|")
        print("\n".join(ratios))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--clients", type=int, default=8)
    return parser.parse_args()


def _measured(
    ours: Server, theirs: Server, records: list[dict[str, object]], options: argparse.Namespace
) -> list[tuple[Load, Load]]:
    """Return a pair of loads for each round."""
    requests = {server: server.request(records) for server in (ours, theirs)}
    for server, request in requests.items():
        asyncio.run(load(server, request, options.clients, 1.0))  # warm
    pairs = []
    for number in range(options.rounds):
        order = (ours, theirs) if number % 2 == 0 else (theirs, ours)
        found = {each: asyncio.run(load(each, requests[each], options.clients, options.seconds)) for each in order}
        pairs.append((found[ours], found[theirs]))
    return pairs


def _line(processes: int, rows: int, server: Server, loads: list[Load]) -> str:
    rate = statistics.median(one.rate for one in loads)
    median = statistics.median(statistics.median(one.latencies) for one in loads) * 1000
    p99 = statistics.median(one.p99 for one in loads) * 1000
    failures = sum(one.failures for one in loads)
    numbers = f"{rate:,.0f} | {rate * rows:,.0f} | {median:.1f} | {p99:.1f} | {failures}"
    return f"| {processes} | {rows} | {server.name} | {numbers} |"


def _ratio_line(processes: int, rows: int, pairs: list[tuple[Load, Load]]) -> str:
    rates = _spread([ours.rate / theirs.rate for ours, theirs in pairs])
    p99s = _spread([theirs.p99 / ours.p99 for ours, theirs in pairs])
    return f"| {processes} | {rows} | {rates} | {p99s} |"


def _spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _require_same(servers: list[Server], records: list[dict[str, object]]) -> None:
    first, second = (server.predictions(records) for server in servers)
    pd.testing.assert_frame_equal(pd.DataFrame(first), pd.DataFrame(second))


def _trained(folder: Path) -> dict[str, str]:
    """Train a champion; return the environment in which it is found."""
    write_bank_like(folder / "bank.csv", 10_000)
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "bank.yaml").write_text(PIPELINE.format(source=folder / "bank.csv"))
    environment = {
        **os.environ,
        "ASSAY_HOME": str(folder / "home"),
        "ASSAY_PIPELINES_DIR": str(folder / "pipelines"),
        "DAGSTER_HOME": str(folder),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/home/mlflow/mlflow.db",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }
    work = [sys.executable, str(ROOT / "benchmarks" / "as_assets.py"), "bank"]
    subprocess.run(work, env=environment, cwd=folder, check=True, capture_output=True)
    return environment


def _servers(
    folder: Path, environment: dict[str, str], processes: int
) -> Iterator[AbstractContextManager[Callable[[], Server]]]:
    ports = _free_ports(2)
    ours = [f"{BIN}/assay", "serve", "bank", "--port", str(ports[0]), "--processes", str(processes)]
    theirs = [f"{BIN}/mlflow", "models", "serve", "-m", "models:/bank@champion", "--env-manager", "local",
              "--port", str(ports[1]), "--workers", str(processes)]  # fmt: skip
    yield _running(Server("assay serve", ports[0], "/predict", "rows"), ours, "/ready", folder, environment)
    yield _running(
        Server("mlflow models serve", ports[1], "/invocations", "inputs"), theirs, "/ping", folder, environment
    )


@contextmanager
def _running(
    server: Server, command: list[str], probe: str, folder: Path, environment: dict[str, str]
) -> Iterator[Callable[[], Server]]:
    """Start a server; gives what waits until it answers."""
    with (folder / f"{server.port}.log").open("w") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )

    def ready() -> Server:
        _wait_for(f"http://127.0.0.1:{server.port}{probe}", process, folder / f"{server.port}.log")
        return server

    try:
        yield ready
    finally:
        os.killpg(process.pid, 15)
        process.wait(60)


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    sys.exit(log.read_text()[-3000:])


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


if __name__ == "__main__":
    main()
