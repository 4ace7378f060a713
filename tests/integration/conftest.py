"""A checkout of its own for each test, with a shell in it, as a user has.

Console commands are forked from a server that has imported the libraries; in tests that are marked `cold` they start
as a user starts them.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from dockerfile import stages_of
from servers import free_port, stopped, wait_for
from warm_shell import WarmShell

ROOT = Path(__file__).parents[2]
# what the image holds is enough to run; the instance on PostgreSQL is described beside it
SHIPPED = [name for name in stages_of(ROOT / "Dockerfile")[-1].copied if name != "pipelines"] + ["deploy"]
BIN = Path(sys.executable).parent


def clean_environment() -> dict[str, str]:
    """Return this process' environment without the settings of a developer."""
    foreign = ("ASSAY_", "DAGSTER_", "MLFLOW_", "AWS_", "PYTHON")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


@pytest.fixture(scope="session")
def warm_shell(tmp_path_factory):
    shell = WarmShell(tmp_path_factory.mktemp("warm"), clean_environment())
    yield shell
    shell.close()


@pytest.fixture
def scripts(request) -> Path:
    """The folder of the console scripts."""
    return BIN if request.node.get_closest_marker("cold") else request.getfixturevalue("warm_shell").scripts


@dataclass(frozen=True)
class Checkout:
    """A folder that holds the platform and no pipelines.

    Attributes:
        root: the folder.
        scripts: the folder in which commands are searched first.
    """

    root: Path
    scripts: Path

    def environment(self, **more: str) -> dict[str, str]:
        return {
            **clean_environment(),
            "PATH": f"{self.scripts}:{BIN}:{os.environ['PATH']}",
            # Dagster imports its storage before it adds the folder to the path; an installed checkout is on it
            "PYTHONPATH": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1",
            # a busy machine is no failure
            "DAGSTER_GRPC_TIMEOUT_SECONDS": "900",
            "DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS": "900",
            **more,
        }

    def run(self, command: str, *, timeout: float = 1500, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command; standard output and error together in `stdout`."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.root,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def checkout(tmp_path: Path, scripts: Path) -> Checkout:
    root = tmp_path / "checkout"
    root.mkdir()
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name)  # with the bytecode, so that no command compiles
        else:
            shutil.copy(ROOT / name, root / name)
    (root / "pipelines").mkdir()
    return Checkout(root, scripts)


@dataclass(frozen=True)
class S3Server:
    url: str
    client: object


@pytest.fixture
def s3_server():
    """An S3 server in this process, reached over HTTP like any other."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.Session().client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    yield S3Server(url, client)
    server.stop()


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory):
    """A real MLflow server on a free port; its URL."""
    folder = tmp_path_factory.mktemp("mlflow_server")
    port = free_port()
    command = [
        f"{BIN}/mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    ]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
    with stopped(process):
        wait_for(f"http://127.0.0.1:{port}/health", process, folder / "log.txt")
        yield f"http://127.0.0.1:{port}"
