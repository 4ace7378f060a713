"""Both object stores, and small artifacts to put into them."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import boto3
import pyarrow as pa
import pytest
from in_process import without_children  # noqa: F401 - a fixture
from moto import mock_aws
from moto.s3.responses import S3Response
from platform_fixtures import templates  # noqa: F401 - a fixture
from postgres_server import postgres_server
from web_receiver import web  # noqa: F401 - a fixture

from assay.data.dataset import Dataset, GateReceipt, ValidatedDataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import ColumnSchema, TableSchema, dtype_name
from assay.specs.dataset import ColumnRole
from resources.artifacts.store import ArtifactStore
from resources.store.interface import ObjectStore
from resources.store.local import LocalStore
from resources.store.s3 import S3Store

BUCKET = "bucket"


@pytest.fixture(scope="session")
def postgres():
    """Give a PostgreSQL; a test makes tables of its own name in it."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def aws_session():
    """Give one session, for each reads the description of all of S3 again."""
    return boto3.Session(aws_access_key_id="id", aws_secret_access_key="secret", region_name="us-east-1")


@pytest.fixture
def aws(aws_session, monkeypatch):
    """Give a mocked S3; requests are answered one after the other, for the real S3 decides each put at once."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    turn, answer = threading.Lock(), S3Response._key_response

    def one_by_one(self, *args, **kwargs):
        with turn:
            return answer(self, *args, **kwargs)

    monkeypatch.setattr(S3Response, "_key_response", one_by_one)
    with mock_aws():
        client = aws_session.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client


@dataclass(frozen=True)
class Backend:
    """A store, and a way to what it stores past its interface."""

    name: str
    store: ObjectStore
    root: Path | None
    client: object

    def raw_keys(self):
        if self.root is not None:
            return sorted(p.relative_to(self.root).as_posix() for p in self.root.rglob("*") if p.is_file())
        listed = self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return sorted(item["Key"].removeprefix("some/prefix/") for item in listed)

    def overwrite(self, key, data):
        """Change an object as somebody else would."""
        if self.root is not None:
            (self.root / key).write_bytes(data)
        else:
            self.client.put_object(Bucket=BUCKET, Key=f"some/prefix/{key}", Body=data)


@pytest.fixture
def backend_named(request, tmp_path):
    """Return a function that gives the backend of a name."""

    def make(name):
        if name == "local":
            return Backend("local", LocalStore(tmp_path / "root"), tmp_path / "root", None)
        client = request.getfixturevalue("aws")
        return Backend("s3", S3Store(client, BUCKET, "/some/prefix/"), None, client)

    return make


@pytest.fixture(params=["local", "s3"])
def backend(request, backend_named):
    return backend_named(request.param)


@pytest.fixture
def store(backend):
    return backend.store


@pytest.fixture
def artifacts(store):
    return ArtifactStore(store)


class Wrapped(ObjectStore):
    """Another store's behaviour, for subclasses that break one part of it."""

    def __init__(self, inner):
        self.inner = inner

    def put_file(self, key, path):
        self.inner.put_file(key, path)

    def put_if_absent(self, key, data):
        return self.inner.put_if_absent(key, data)

    def replace(self, key, data, former):
        return self.inner.replace(key, data, former)

    def get_bytes(self, key):
        return self.inner.get_bytes(key)

    def open(self, key):
        return self.inner.open(key)

    def stat(self, key):
        return self.inner.stat(key)

    def list_objects(self, prefix):
        return self.inner.list_objects(prefix)

    def delete(self, key):
        self.inner.delete(key)

    def uri(self, key):
        return self.inner.uri(key)


@pytest.fixture
def wrapped():
    return Wrapped


@pytest.fixture
def in_threads():
    """Return a function that runs a function of a number in so many threads at once and returns the results."""

    def run(count, act):
        barrier, results = threading.Barrier(count), [None] * count

        def one(number):
            barrier.wait()
            try:
                results[number] = act(number)
            except Exception as error:  # noqa: BLE001 - reported by the assertion on the results
                results[number] = error

        threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    return run


def _schema(table):
    return TableSchema(
        version=1,
        columns=tuple(
            ColumnSchema(name=field.name, dtype=dtype_name(field.type), role=ColumnRole.NUMERIC)
            for field in table.schema
        ),
    )


@pytest.fixture
def make_dataset():
    """Return a function that makes a dataset of a table or of columns."""

    def build(table=None, **columns):
        table = pa.table(columns or {"x": [1, 2, 3], "y": ["a", "b", None]}) if table is None else table
        return Dataset(table=table, schema=_schema(table), fingerprint=fingerprint(table), notes={"dropped": "0"})

    return build


@pytest.fixture
def make_receipt():
    def build(digest="d" * 64, **changes):
        facts = {"data_digest": digest, "rules_digest": "r" * 64, "verdict": "passed", "rows": 3, **changes}
        return GateReceipt(**facts)

    return build


@pytest.fixture
def make_validated(make_dataset, make_receipt):
    def build(table=None, **columns):
        data = make_dataset(table, **columns)
        return ValidatedDataset(
            table=data.table,
            schema=data.schema,
            fingerprint=data.fingerprint,
            receipt=make_receipt(data.fingerprint.digest),
        )

    return build
