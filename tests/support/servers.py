"""Servers for tests: a free port, waiting for an answer, Dagster's daemon, and an end whatever happens."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

QUICK_DAEMON = Path(__file__).with_name("quick_daemon.py")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url: str, process: subprocess.Popen, log: Path, seconds: float = 900) -> None:
    """Wait until a server answers; fails with its log when it ends or stays silent."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the server ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"no answer from {url} within {seconds} s:\n{log.read_text()[-3000:]}")


@contextmanager
def stopped(process: subprocess.Popen) -> Iterator[None]:
    """Kill a process and its children at the end; they must share a session of their own."""
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=300)


@contextmanager
def daemon_in(checkout, **environment: str) -> Iterator[subprocess.Popen]:
    """Give Dagster's daemon on a checkout; it is the leader of a session with its code server and runs."""
    with (checkout.root / "daemon.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, str(QUICK_DAEMON), "run", "-w", "workspace.yaml"],
            cwd=checkout.root,
            env=checkout.environment(DAGSTER_HOME=str(checkout.root), **environment),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with stopped(process):
        yield process
