"""Console commands without their start: a server that has imported the libraries forks a process for each command.

`dagster` and `assay` spend four seconds of processor time on imports before they do anything. `WarmShell` puts scripts
of the same names first on the path; such a script hands its arguments, environment, folder and standard streams to the
server and ends with the exit code of the forked process. The server imports no module of this repository, so that a
command still takes those of its own folder. Plots are blank: to draw them takes a second of each run.

Run as a program, this module is the server: `python warm_shell.py SOCKET`.
"""

import array
import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

BIN = Path(sys.executable).parent
COMMANDS = ("dagster", "assay")
LIBRARIES = (
    "boto3",
    "botocore.session",
    "dagster",
    "dagster._cli",
    "dagster_aws.s3",
    "dagster_postgres",
    "duckdb",
    "jinja2",
    "lightgbm",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "mlflow",
    "mlflow.pyfunc",
    "mlflow.sklearn",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
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
    """The server, and a folder of scripts to put first on the path.

    Attributes:
        scripts: the folder.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.scripts = folder / "bin"
        self.scripts.mkdir(parents=True)
        path = str(folder / "socket")
        for command in COMMANDS:
            script = self.scripts / command
            script.write_text(_CLIENT.format(python=sys.executable, path=path, command=command))
            script.chmod(0o755)
        log = (folder / "server.log").open("w")
        self._server = subprocess.Popen(
            [sys.executable, __file__, path], env=environment, cwd=folder, stdout=log, stderr=log, text=True
        )
        log.close()
        self._wait_for(path, folder / "server.log")

    def _wait_for(self, path: str, log: Path) -> None:
        deadline = time.monotonic() + 240
        while not Path(path).exists():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the warm server did not start:\n{log.read_text()}")
            time.sleep(0.05)

    def close(self) -> None:
        """Kill the server, which may have inherited that SIGTERM is ignored; commands that still run go on."""
        self._server.kill()
        self._server.wait()


def serve(path: str) -> None:
    """Answer requests until the process is ended."""
    for name in LIBRARIES:
        importlib.import_module(name)
    agg = importlib.import_module("matplotlib.backends.backend_agg")
    agg.FigureCanvasAgg.print_png = lambda _, file, **__: file.write(b"\x89PNG\r\n\x1a\n")
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # a test run in the background is deaf to interrupts, and all that it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(f"{path}.new")
    listening.listen(64)
    Path(f"{path}.new").rename(path)
    while True:
        client, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _answer(client)
        client.close()


def _answer(client: socket.socket) -> None:
    """Run one command in this process, send its exit code and end."""
    streams = array.array("i")
    length, ancillary, _, _ = client.recvmsg(4, socket.CMSG_SPACE(3 * streams.itemsize))
    streams.frombytes(ancillary[0][2][: 3 * streams.itemsize])
    request = json.loads(_exactly(client, int.from_bytes(length, "big")))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in os.environ
    time.tzset()
    code = _exit_code(lambda: _run(request["argv"]))
    with contextlib.suppress(OSError):
        client.sendall(bytes([code & 0xFF]))
    os._exit(code & 0xFF)


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
    sys.path[:1] = [str(BIN), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    runpy.run_path(script, run_name="__main__")


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
    serve(sys.argv[1])
