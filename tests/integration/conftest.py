"""A checkout of its own for each test, with a shell in it, as a user has.

Console commands are forked from a server that has imported the libraries; in tests that are marked `cold` they start
as a user starts them.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from checkouts import BIN, ROOT, Checkout, checkout_in, clean_environment
from platform_fixtures import templates  # noqa: F401 - a fixture
from servers import free_port, stopped, wait_for
from warm_shell import WarmShell


@pytest.fixture(scope="session")
def warm_shell(tmp_path_factory):
    base = tmp_path_factory.getbasetemp()
    # a worker is a child of the process that holds the whole session, and its folder lies in the session's
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    folder, owner = (base.parent, os.getppid()) if is_worker else (base, os.getpid())
    return WarmShell(folder / "warm", clean_environment(), owner)


@pytest.fixture(scope="session")
def warmed(warm_shell, tmp_path_factory):
    """Return a function that gives a checkout, in a context, warm scripts."""

    @contextmanager
    def warmed(checkout):
        with warm_shell.serving(checkout.root, tmp_path_factory.mktemp("w") / "bin") as scripts:
            yield replace(checkout, scripts=scripts)

    return warmed


@pytest.fixture(scope="session")
def warm_scripts(warmed):
    """The folder of warm scripts that run this repository."""
    with warmed(Checkout(ROOT, BIN)) as here:
        yield here.scripts


@pytest.fixture
def scripts(request) -> Path:
    """The folder of the console scripts of this repository."""
    return BIN if request.node.get_closest_marker("cold") else request.getfixturevalue("warm_scripts")


@pytest.fixture
def checkout(request, templates, tmp_path: Path) -> Iterator[Checkout]:  # noqa: F811 - a fixture
    """A checkout; unless the test is `cold`, its commands are warm and MLflow's database has its tables."""
    made = checkout_in(tmp_path / "checkout")
    if request.node.get_closest_marker("cold"):
        yield made
    else:
        templates.empty_mlflow(made.root / ".assay" / "mlflow")
        with request.getfixturevalue("warmed")(made) as warm:
            yield warm


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
