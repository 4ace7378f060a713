"""Console commands without their start: a server that has imported the libraries forks a process for each command.

`dagster` and `assay` spend four seconds of processor time on imports before they do anything. `WarmShell` puts scripts
of the same names first on the path; such a script hands its arguments, environment, folder and standard streams to the
server and ends with the exit code of the forked process. `serving` forks a server for a checkout, which imports the
modules of that folder: another second of each command. A command imports them anew once a file of them has changed.
Plots are blank, since drawing them takes a second of each run, files are read and features computed without a child
process, and databases and files are not written through to the disk, since no test loses power.

Run as a program, this module is the server: `python warm_shell.py SOCKET OWNER`.
"""

import array
import contextlib
import fcntl
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

BIN = Path(sys.executable).parent
COMMANDS = ("dagster", "dg", "assay", "python")
LIBRARIES = (
    "antlr4",
    "apprise",
    "boto3",
    "botocore.session",
    "dagster",
    "dagster._cli",
    "dagster._core.definitions.antlr_asset_selection.antlr_asset_selection",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.storage.root",
    "dagster._core.storage.sqlite_storage",
    "dagster._core.workspace.autodiscovery",
    "dagster_aws.s3",
    "dagster_dg_cli.cli",
    "dagster_postgres",
    "duckdb",
    "jinja2",
    "lightgbm",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "mlflow",
    "mlflow.pyfunc",
    "mlflow.sklearn",
    "mlflow.store.model_registry.sqlalchemy_workspace_store",
    "mlflow.store.tracking.sqlalchemy_workspace_store",
    "mlflow.tracking._model_registry.client",
    "mlflow.tracking._tracking_service.client",
    "openpyxl",
    "optuna",
    "pandas",
    "pandera.pandas",
    "pg8000",
    "pyarrow.csv",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "pydantic_settings",
    "ruamel.yaml",
    "scipy.stats",
    "skops.io",
    "sklearn.calibration",
    "sklearn.compose",
    "sklearn.dummy",
    "sklearn.ensemble",
    "sklearn.feature_extraction.text",
    "sklearn.impute",
    "sklearn.inspection",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sklearn.pipeline",
    "sklearn.preprocessing",
)
PACKAGES = ("assay", "ml_assets", "resources", "serving")
MODULES = (
    "assay.learning.preprocessing.transformers",
    "assay.shell.learning",
    "assay.shell.main",
    "ml_assets.champion_jobs",
    "ml_assets.factory",
    "ml_assets.maintenance",
    "ml_assets.notifications.sensor",
    "ml_assets.resource_wiring",
    "ml_assets.shell_champions",
    "ml_assets.shell_tracking",
    "resources.instance_storage",
    "resources.notifications.notifier",
)
_CLIENT = """\
#!{python} -IS
import array, json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({path!r})
request = json.dumps({{"argv": ["{command}", *sys.argv[1:]], "cwd": os.getcwd(), "environ": dict(os.environ)}}).encode()
server.sendmsg([len(request).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
server.sendall(request)
answer = server.recv(1)
sys.exit(answer[0] if answer else 255)
"""


class WarmShell:
    """The server that has imported the libraries; the workers of a session share one, as it takes eight seconds."""

    def __init__(self, folder: Path, environment: dict[str, str], owner: int) -> None:
        """Start the server, unless there is one.

        Args:
            folder: of the server; those who give the same one share it.
            environment: of the server.
            owner: the process with which the server ends.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._path = str(folder / "socket")
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not Path(self._path).exists():
                with (folder / "server.log").open("w") as log:
                    server = subprocess.Popen(
                        [sys.executable, __file__, self._path, str(owner)],
                        env=environment, cwd=folder, stdout=log, stderr=log, text=True,
                    )  # fmt: skip
                self._wait_for(server, folder / "server.log")

    def _wait_for(self, server: subprocess.Popen, log: Path) -> None:
        deadline = time.monotonic() + 240
        while not Path(self._path).exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the warm server did not start:\n{log.read_text()}")
            time.sleep(0.05)

    @contextlib.contextmanager
    def serving(self, root: Path, folder: Path) -> Iterator[Path]:
        """Give a folder of scripts to put first on the path, whose commands have imported the modules of a checkout.

        Args:
            root: the checkout.
            folder: for the scripts and their socket; its path is short, as paths of sockets are.
        """
        folder.mkdir(parents=True)
        path = str(folder / "socket")
        for command in COMMANDS:
            script = folder / command
            script.write_text(_CLIENT.format(python=sys.executable, path=path, command=command))
            script.chmod(0o755)
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self._path)
            request = json.dumps({"serve": str(root), "path": path}).encode()
            streams = array.array("i", [0, 1, 2])
            server.sendmsg([len(request).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
            server.sendall(request)
            pid = int.from_bytes(server.recv(4), "big")
        if not pid:
            raise RuntimeError(f"the modules of {root} could not be imported")
        try:
            yield folder
        finally:
            os.kill(pid, signal.SIGKILL)


def serve(path: str, owner: int) -> None:
    """Answer requests until the owner has ended; commands that still run go on."""
    for name in LIBRARIES:
        importlib.import_module(name)
    # which distribution a module belongs to: MLflow asks the whole environment at the first model of a process
    importlib.import_module("mlflow.utils.requirements_utils")._init_packages_to_modules_map()
    _without_plots_and_syncs()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # a test run in the background is deaf to interrupts, and all that it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _answer_all(path, lambda: None, owner=owner)


def _without_plots_and_syncs() -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from sqlalchemy import Engine, event

    def leave(connection: object, _record: object) -> None:
        # a database that cannot be read says so where it is used
        with contextlib.suppress(sqlite3.DatabaseError):
            if isinstance(connection, sqlite3.Connection):
                connection.execute("pragma synchronous = off")

    FigureCanvasAgg.print_png = lambda _, file, **__: file.write(b"\x89PNG\r\n\x1a\n")
    event.listen(Engine, "connect", leave)
    os.fsync = lambda _: None


def _answer_all(
    path: str, ready: Callable[[], None], check: Callable[[], None] = lambda: None, *, owner: int | None = None
) -> None:
    """Fork a process for each request at a socket.

    Args:
        path: of the socket.
        ready: called when the socket is there.
        check: called in each process before its command.
        owner: the process with which this one ends.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(f"{path}.new")
    listening.listen(64)
    Path(f"{path}.new").rename(path)
    ready()
    listening.settimeout(1)
    while owner is None or Path(f"/proc/{owner}").exists():
        with contextlib.suppress(TimeoutError):
            client, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _answer(client, check)
            client.close()


def _answer(client: socket.socket, check: Callable[[], None]) -> None:
    """Run one command in this process, send its exit code and end; or become the server of a checkout."""
    streams = array.array("i")
    length, ancillary, _, _ = client.recvmsg(4, socket.CMSG_SPACE(3 * streams.itemsize))
    streams.frombytes(ancillary[0][2][: 3 * streams.itemsize])
    request = json.loads(_exactly(client, int.from_bytes(length, "big")))
    if "serve" in request:
        for stream in streams:
            os.close(stream)
        _serve_checkout(Path(request["serve"]), request["path"], client)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in os.environ
    time.tzset()
    check()
    code = _exit_code(lambda: _run(request["argv"]))
    with contextlib.suppress(OSError):
        client.sendall(bytes([code & 0xFF]))
    os._exit(code & 0xFF)


def _serve_checkout(root: Path, path: str, client: socket.socket) -> None:
    """Import the modules of a checkout and answer requests; the client gets this process' number."""
    at_first = _state_of(root)
    sys.path.insert(0, str(root))
    sys.dont_write_bytecode = True
    for name in MODULES:
        importlib.import_module(name)
    importlib.import_module("child_stand_ins").install()
    _let_a_plan_run_warm(path)
    del sys.path[0]

    def ready() -> None:
        client.sendall(os.getpid().to_bytes(4, "big"))
        client.close()

    def forget_what_changed() -> None:
        if _state_of(root) != at_first:
            for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
                del sys.modules[name]

    _answer_all(path, ready, forget_what_changed)


def _let_a_plan_run_warm(path: str) -> None:
    """Let `assay plan --run` start its commands as the shell does; they need a process each, as those of a user."""
    python = str(Path(path).with_name("python"))
    importlib.import_module("ml_assets.commands.plan").sys = SimpleNamespace(executable=python, stderr=sys.stderr)


def _state_of(root: Path) -> list[tuple[str, int]]:
    """Return the source files of a checkout and when each was changed."""
    files = (file for package in PACKAGES for file in (root / package).rglob("*.py"))
    return sorted((str(file), file.stat().st_mtime_ns) for file in files)


def _exactly(client: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = client.recv(size - len(found))
        if not part:
            os._exit(255)
        found += part
    return found


def _run(argv: list[str]) -> None:
    """Run a console script as the interpreter does."""
    script = str(BIN / argv[0])
    sys.argv = [script, *argv[1:]]
    if argv[0] == "python":
        _interpret(argv[1:])
        return
    sys.path[:1] = [str(BIN), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    runpy.run_path(script, run_name="__main__")


def _interpret(arguments: list[str]) -> None:
    """Do what `python -m MODULE`, `python -c CODE` or `python FILE` does."""
    option, *rest = arguments
    sys.path.insert(0, str(Path.cwd()))
    if option == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif option == "-c":
        sys.argv = ["-c", *rest[1:]]
        exec(rest[0], {"__name__": "__main__"})
    else:
        sys.argv = arguments
        runpy.run_path(option, run_name="__main__")


def _exit_code(command: Callable[[], None]) -> int:
    """Run a command and all that an interpreter does at its end; return its exit code."""
    import atexit
    import threading
    import traceback

    code: object = 0
    try:
        command()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - as the interpreter reports it
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
