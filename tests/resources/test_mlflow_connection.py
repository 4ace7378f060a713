import os
import socket
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from unittest import mock

import pytest
from forked import in_processes
from object_stores import object_store_at
from sqlalchemy import Engine, event

from assay.errors import TrackerUnavailableError, TrackingError
from resources.mlflow import connection
from resources.mlflow.connection import as_tracking_error, connect, initialise_local_stores
from resources.mlflow.registry import MlflowModelRegistry
from resources.mlflow.tracker import MlflowTracker, RunIdentity

ROOT = Path(__file__).parents[2]
IDENTITY = RunIdentity("demo", "run", "demo/trained_model", None)
SHIPPED_BOUND_SECONDS = 25


@pytest.fixture
def impatient(monkeypatch):
    """Shorten each wait; a separate test checks the shipped values."""
    monkeypatch.setattr(connection, "PROBE_SECONDS", 0.5)
    for name, value in {"TIMEOUT": "1", "MAX_RETRIES": "1", "BACKOFF_FACTOR": "0"}.items():
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", value)


@pytest.fixture
def refusing_uri():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def hanging_uri():
    """A server that accepts and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(16)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def dying_uri():
    """A server that answers the question for its health, and then nothing more."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(16)
        open_connections = []

        def answer():
            first = True
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                open_connections.append(connection)
                if first:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK")
                    first = False

        threading.Thread(target=answer, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        for connection in open_connections:
            connection.close()
        assert len(open_connections) <= 3, "the probe, the request and its one retry"


def _opens(uri):
    with MlflowTracker(tracking_uri=uri).run(IDENTITY, {}):
        pytest.fail("a run was opened without a server")


def _asks(uri):
    MlflowModelRegistry(tracking_uri=uri, object_store=object_store_at("unused")).champion("demo")


@pytest.mark.parametrize("use", [_opens, _asks])
@pytest.mark.parametrize("server", ["refusing_uri", "hanging_uri", "dying_uri"])
def test_a_server_that_does_not_answer_is_given_up(use, server, request, impatient):
    uri = request.getfixturevalue(server)
    with pytest.raises(TrackerUnavailableError) as refused:
        use(uri)
    assert refused.value.where == uri
    assert refused.value.remedy


def test_an_outage_does_not_hide_the_exception_it_meets(tmp_path):
    tracker = MlflowTracker(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", artifact_root=str(tmp_path / "a"))
    lost = TrackerUnavailableError("the server is gone")
    with (
        pytest.raises(ValueError, match="the fit broke") as reported,
        tracker.run(IDENTITY, {}) as run,
        mock.patch.object(type(run), "end", side_effect=lost),
    ):
        raise ValueError("the fit broke")
    assert reported.value is not lost


@pytest.mark.parametrize("server", ["refusing_uri", "dying_uri"])
def test_credentials_are_in_no_message(server, request, impatient):
    uri = request.getfixturevalue(server).replace("http://", "http://me:hunter2@")
    with pytest.raises(TrackerUnavailableError) as refused:
        _opens(uri)
    error = refused.value
    while error is not None:
        assert "hunter2" not in str(error)
        error = error.__cause__


def test_a_refusal_of_the_server_is_no_outage():
    from mlflow.exceptions import MlflowException

    text = "API request to endpoint /api/2.0/mlflow/runs/create failed with error code 403 != 200"
    with pytest.raises(TrackingError) as refused, as_tracking_error("http://host", "no run"):
        raise MlflowException(text)
    assert not isinstance(refused.value, TrackerUnavailableError)


def test_the_shipped_waits_are_within_the_bound(opened, monkeypatch):
    names = ("TIMEOUT", "MAX_RETRIES", "BACKOFF_FACTOR")
    for name in names:
        monkeypatch.delenv(f"MLFLOW_HTTP_REQUEST_{name}", raising=False)
    connect(opened)
    timeout, retries, backoff = (float(os.environ[f"MLFLOW_HTTP_REQUEST_{name}"]) for name in names)
    assert connection.PROBE_SECONDS == 5
    assert timeout * (retries + 1) + backoff * 2**retries < SHIPPED_BOUND_SECONDS


def test_waits_that_the_deployment_sets_are_kept(opened, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    connect(opened)
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"


def test_two_processes_initialise_one_empty_store_at_once(tmp_path):
    uri = f"sqlite:///{tmp_path}/stores/mlflow.db"
    code = f"""
        import mlflow.store.tracking.sqlalchemy_store
        from resources.mlflow.tracker import MlflowTracker, RunIdentity

        def act(number):
            tracker = MlflowTracker(tracking_uri={uri!r}, artifact_root={str(tmp_path / "a")!r})
            with tracker.run(RunIdentity("demo", str(number), "demo/trained_model", None), {{}}) as run:
                run.log_metrics({{"m": 1.0}})
    """
    in_processes(code, 2)
    with sqlite3.connect(tmp_path / "stores" / "mlflow.db") as database:
        ((runs,),) = database.execute("select count(*) from runs where status = 'FINISHED'")
        ((experiments,),) = database.execute("select count(*) from experiments where name = 'assay/demo'")
    assert (runs, experiments) == (2, 1)


def test_an_initialised_store_is_not_opened_again(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    initialise_local_stores(uri)
    opened = []

    def count(connection, _record):
        opened.append(connection)

    event.listen(Engine, "connect", count)
    initialise_local_stores(uri)
    event.remove(Engine, "connect", count)
    assert opened == []


@pytest.mark.full
def test_a_deleted_database_is_initialised_again(tmp_path):
    code = f"""
        import sqlite3
        from pathlib import Path
        import mlflow.store.tracking.sqlalchemy_store
        from resources.mlflow.connection import initialise_local_stores

        def act(_):
            initialise_local_stores("sqlite:///{tmp_path}/mlflow.db")
            with sqlite3.connect("{tmp_path}/mlflow.db") as database:
                print(*database.execute("select count(*) from experiments").fetchone())
            Path("{tmp_path}/mlflow.db").unlink()
    """
    assert in_processes(code, 2, one_by_one=True) == ["1", "1"]


def test_a_process_that_is_killed_meanwhile_leaves_no_half_of_a_database(tmp_path):
    code = f"""
        import os
        import sqlite3
        import alembic.command
        import mlflow.store.tracking.sqlalchemy_store
        from resources.mlflow.connection import initialise_local_stores

        upgrade = alembic.command.upgrade

        def killed(config, _):
            upgrade(config, "heads")
            database = config.get_main_option("sqlalchemy.url").removeprefix("sqlite:///")
            with sqlite3.connect(database) as connection:  # the last migration has not been recorded yet
                connection.execute("update alembic_version set version_num = '75868b020152'")
            os._exit(0)

        def act(number):
            if number == 0:
                alembic.command.upgrade = killed
            initialise_local_stores("sqlite:///{tmp_path}/mlflow.db")
            print("initialised")
    """
    assert in_processes(code, 2, one_by_one=True) == ["initialised"]


@pytest.mark.full
def test_importing_a_resource_does_not_import_mlflow_and_connecting_imports_scipy_before_it(tmp_path, templates):
    templates.empty_mlflow(tmp_path)
    modules = ", ".join(f"resources.mlflow.{name}" for name in ("tracker", "registry", "connection", "asset_runs"))
    code = f"import sys, {modules}; print(*({{'mlflow', 'dagster_mlflow'}} & sys.modules.keys()))"
    code += f"; resources.mlflow.connection.connect('sqlite:///{tmp_path}/mlflow.db')"
    code += "; order = list(sys.modules); print(order.index('scipy.special') < order.index('mlflow'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, timeout=900, check=True, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["", "True"], (
        "skops' import takes a second longer after MLflow's than after SciPy's"
    )


def _uses(uri, root=""):
    with MlflowTracker(tracking_uri=uri, artifact_root=root).run(IDENTITY, {}) as run:
        run.log_json("note.json", "note")


def test_a_store_that_cannot_be_opened_is_a_typed_error(tmp_path):
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "bad.db").write_text("no database" * 100)
    for uri in (f"sqlite:///{tmp_path}/file/mlflow.db", f"sqlite:///{tmp_path}/bad.db", "foo://host"):
        with pytest.raises(TrackingError, match="cannot be opened"):
            _uses(uri)
    with pytest.raises(TrackingError, match="cannot be logged"):
        _uses(f"sqlite:///{tmp_path}/mlflow.db", str(tmp_path / "file" / "artifacts"))


@pytest.fixture
def opened(tmp_path, templates):
    """A store in a SQLite file that has been used."""
    templates.empty_mlflow(tmp_path)
    return f"sqlite:///{tmp_path}/mlflow.db"


def test_a_locked_database_is_an_outage(opened, tmp_path):
    held = sqlite3.connect(tmp_path / "mlflow.db")
    held.execute("begin exclusive")
    try:
        with pytest.raises(TrackerUnavailableError, match="cannot be opened") as refused:
            _uses(opened)
    finally:
        held.close()
    assert "database is locked" in refused.value.found
    assert refused.value.transient
    _uses(opened, str(tmp_path / "artifacts"))


def test_a_database_that_cannot_be_written_is_no_outage(opened, tmp_path):
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("drop table experiments")
    database.close()
    with pytest.raises(TrackingError, match="cannot be opened") as refused:
        _uses(opened)
    assert "no such" in refused.value.found
    assert not refused.value.transient


def test_a_refused_bucket_is_typed_and_no_outage(opened, aws):
    with pytest.raises(TrackingError, match="cannot be logged") as refused:
        _uses(opened, "s3://nobody-made-this/x")
    assert "NoSuchBucket" in refused.value.found
    assert "ASSAY_MLFLOW_ARTIFACT_ROOT" in refused.value.remedy
    assert not refused.value.transient


def test_an_artifact_store_that_does_not_answer_is_an_outage(opened, refusing_uri, monkeypatch):
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", refusing_uri)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with pytest.raises(TrackerUnavailableError, match="cannot be logged"):
        _uses(opened, "s3://bucket/x")


@pytest.mark.parametrize(("status", "passes"), [(503, True), (403, False)])
def test_the_status_of_s3_is_found_below_the_reported_error(status, passes):
    from boto3.exceptions import S3UploadFailedError
    from botocore.exceptions import ClientError

    reported = S3UploadFailedError("failed")
    reported.__context__ = ClientError({"ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")
    with pytest.raises(TrackingError) as refused, as_tracking_error("http://host", "no model"):
        raise reported
    assert refused.value.transient is passes


def test_a_failure_that_is_not_the_trackers_keeps_its_type():
    with pytest.raises(TypeError), as_tracking_error("http://host", "no run"):
        raise TypeError


def test_a_download_that_the_server_dropped_is_an_outage():
    from mlflow.exceptions import MlflowException

    with pytest.raises(TrackerUnavailableError), as_tracking_error("http://host", "no model"):
        raise MlflowException("The following failures occurred:\n##### a #####\nfailed with exception Max retries")
