"""The newest rows of a feature set are one plain Parquet file under a key that others can predict, on every store."""

import datetime as dt
import io
import json
from decimal import Decimal

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.data.dataset import Dataset
from resources.artifacts.feature_file import file_facts
from resources.artifacts.forgetting import Forgetting
from resources.artifacts.store import ArtifactStore, Attempt
from resources.store.commit_log import collect_garbage
from resources.store.local import LocalStore
from resources.store.overlay import OverlayStore

ASSET = ("shop", "feature_set")
KEY = "features/shop/2013-01.parquet"


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.full)])
def backend(request, backend_named):
    return backend_named(request.param)


@pytest.fixture
def publish(artifacts, make_dataset):
    """Return a function that publishes a feature set with some customers."""

    def done(*customers, partition="2013-01", prefix="features", into=artifacts):
        facts = file_facts(prefix, "shop", partition, "s" * 64)
        rows = make_dataset(customer_id=[*customers], spent=[1.5] * len(customers))
        name = f"{'-'.join(map(str, customers))}-{prefix}"
        return into.publish(ASSET, partition, rows, Attempt("run", name, "code", {"shop/raw_dataset": "1:abc"}, facts))

    return done


def rows(store, key=KEY):
    return pq.read_table(io.BytesIO(store.get_bytes(key)))


def customers(store, key=KEY):
    return rows(store, key)["customer_id"].to_pylist()


def test_the_file_has_the_newest_rows_with_their_lineage(store, publish):
    publish(1, 2)
    newest = publish(2, 3)
    found = rows(store)
    assert found["customer_id"].to_pylist() == [2, 3]
    about = {name.decode(): text.decode() for name, text in found.schema.metadata.items()}
    assert about["assay.commit"] == "2"
    assert about["assay.fingerprint"] == newest.data_version
    assert json.loads(about["assay.inputs"]) == {"shop/raw_dataset": "1:abc"}
    assert (about["assay.steps"], about["assay.run_id"]) == ("s" * 64, "run")
    assert [column["name"] for column in json.loads(about["assay.schema"])["columns"]] == ["customer_id", "spent"]


@pytest.mark.parametrize(
    ("partition", "key"),
    [(None, "features/shop/whole.parquet"), ("2013-01-01-05:00", "features/shop/2013-01-01-05%3a00.parquet")],
)
def test_keys_can_be_predicted(store, publish, partition, key):
    publish(1, partition=partition)
    assert customers(store, key) == [1]


def test_a_deleted_or_changed_file_is_written_again_at_the_next_publication(backend, publish):
    publish(1)
    before = backend.store.get_bytes(KEY)
    backend.overwrite(KEY, b"edited")
    publish(1)  # the same attempt publishes nothing new
    assert backend.store.get_bytes(KEY) == before
    backend.store.delete(KEY)
    publish(1)
    assert backend.store.get_bytes(KEY) == before


def test_racing_writers_end_with_the_newest_rows(store, artifacts, publish, in_threads):
    publish(0)
    in_threads(6, lambda number: publish(number + 1))
    newest = artifacts.read(artifacts.log.newest(ASSET, "2013-01"), Dataset)
    assert artifacts.log.newest_number(ASSET, "2013-01") == 7
    assert customers(store) == newest.table["customer_id"].to_pylist()


def test_a_slow_writer_does_not_replace_newer_rows(wrapped, store, publish):
    class Slow(wrapped):
        """A store in which another writer publishes right before the file is replaced."""

        def replace(self, key, data, former):
            if key == KEY and not self.done:
                self.done = True
                publish(3)
            return super().replace(key, data, former)

    slow = Slow(store)
    slow.done = False
    publish(1)
    publish(2, into=ArtifactStore(slow))
    assert slow.done
    assert customers(store) == [3]


def test_another_prefix_leaves_no_file_under_the_former_one(store, publish):
    publish(1)
    publish(1, prefix="shared/features")
    assert customers(store, "shared/features/shop/2013-01.parquet") == [1]
    assert store.stat(KEY) is None


def test_forgetting_removes_rows_from_the_file_too(backend, artifacts, publish):
    publish(17, 18)
    old = backend.store.get_bytes(KEY)
    assert Forgetting(artifacts, "customer_id = 17").remove() is not None
    assert customers(backend.store) == [18]
    backend.overwrite(KEY, old)  # as a writer that was killed, or a restored backup, leaves it
    task = Forgetting(artifacts, "customer_id = 17")
    assert task.find().files == (KEY,)
    task.remove()
    assert customers(backend.store) == [18]
    assert task.find().is_clean


def test_the_janitor_leaves_the_file(store, publish):
    publish(1)
    collect_garbage(store, older_than_seconds=-3600)
    assert customers(store) == [1]


def test_a_space_has_files_of_its_own(tmp_path, publish):
    production, space = LocalStore(tmp_path / "all"), LocalStore(tmp_path / "all/@spaces/trial")
    publish(1, into=ArtifactStore(production))
    publish(2, into=ArtifactStore(OverlayStore(space, production), shares_rows=True))
    assert customers(production) == [1]
    assert customers(space) == [2]


def test_every_reader_finds_plain_types(tmp_path, make_dataset):
    table = pa.table(
        {
            "text": pa.array(["a", None, "b"]).dictionary_encode(),
            "large": pa.array(["x", "y", "z"], pa.large_string()),
            "half": pa.array([0.5, 1.5, None], pa.float16()),
            "seen": pa.array([dt.datetime(2013, 1, 1, tzinfo=dt.UTC)] * 3, pa.timestamp("ns", "Europe/Berlin")),
            "day": pa.array([dt.date(2013, 1, 1)] * 3),
            "ok": pa.array([True, None, False]),
            "price": pa.array([Decimal("1.25")] * 3, pa.decimal128(10, 2)),
        }
    )
    facts = file_facts("features", "shop", "2013-01", "s")
    ArtifactStore(LocalStore(tmp_path)).publish(
        ASSET, "2013-01", make_dataset(table), Attempt("run", "once", properties=facts)
    )
    path = tmp_path / KEY
    assert [str(each.logical_type) for each in (pq.ParquetFile(path).schema.column(n) for n in range(7))] == [
        "String",
        "String",
        "None",
        "Timestamp(isAdjustedToUTC=true, timeUnit=microseconds, is_from_converted_type=false, force_set_converted_type=false)",
        "Date",
        "None",
        "Decimal(precision=10, scale=2)",
    ]
    assert {str(each.type) for each in pq.read_schema(path)} == {
        "string",
        "float",
        "timestamp[us, tz=Europe/Berlin]",
        "date32[day]",
        "bool",
        "decimal128(10, 2)",
    }
    described = duckdb.sql(f"describe select * from '{path}'").fetchall()
    assert [column[1] for column in described] == [
        "VARCHAR",
        "VARCHAR",
        "FLOAT",
        "TIMESTAMP WITH TIME ZONE",
        "DATE",
        "BOOLEAN",
        "DECIMAL(10,2)",
    ]
    assert pd.read_parquet(path)["text"].tolist() == ["a", None, "b"]
