"""A checkout of its own for each test, with a shell in it, as a user has."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from servers import free_port, stopped, wait_for

ROOT = Path(__file__).parents[2]
SHIPPED = (
    "assay",
    "resources",
    "ml_assets",
    "definitions.py",
    "workspace.yaml",
    "dagster.yaml",
    "deploy",
    "uv.lock",
)
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Checkout:
    """A folder that holds the platform and no pipelines."""

    root: Path

    def environment(self, **more: str) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ASSAY_", "DAGSTER_", "MLFLOW_", "AWS_"))
        }
        # Dagster loads the instance's storage before it adds the working directory to the path
        paths = {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(self.root)}
        return {**kept, **paths, "PYTHONDONTWRITEBYTECODE": "1", **more}

    def run(self, command: str, *, timeout: float = 240, **environment: str) -> subprocess.CompletedProcess[str]:
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
def checkout(tmp_path: Path) -> Checkout:
    root = tmp_path / "checkout"
    root.mkdir()
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, root / name)
    (root / "pipelines").mkdir()
    return Checkout(root)


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
