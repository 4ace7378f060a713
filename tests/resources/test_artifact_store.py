import ast
import datetime as dt
import decimal
import io
import json
import shlex
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from object_stores import object_store_at

from assay.data.dataset import Dataset, GateReceipt, ValidatedDataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import ColumnSchema, TableSchema
from assay.errors import (
    ArtifactNotFoundError,
    AssayError,
    DigestMismatchError,
    GateRejectedError,
    MissingColumnError,
    StorageError,
    StoreUnavailableError,
    TargetExistsError,
)
from assay.results.search_result import BestHyperparameters
from assay.results.trained_model import ModelManifest, TrainedModel
from assay.shell.learning import base_model
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import Task
from resources.artifacts.model_export import ModelExporter
from resources.artifacts.store import ArtifactStore, Attempt
from resources.champion_journal import ChampionJournal
from resources.settings import Settings
from resources.shell_storage import PlatformStorage
from resources.store.commit_log import collect_garbage, restore
from resources.store.commit_record import attempt_prefix, series_prefix
from resources.store.interface import encoded
from resources.store.local import LocalStore
from resources.store.s3 import S3Store

ASSET = ("demo", "artifact")
ROOT = Path(__file__).parents[2]


def _attempt(name="run-step-0", **facts):
    return Attempt(run_id="run", attempt_id=name, **facts)


def _key_of(artifacts, name):
    return next(item.key for item in artifacts.newest(ASSET, None).objects if item.name == name)


def _object(commit, name):
    return next(item for item in commit.objects if item.name == name)


@pytest.mark.parametrize("partition", [None, "2024-01", "a/b, ünd Leerzeichen.csv"])
def test_a_dataset_comes_back_as_it_was_published(partition, artifacts, make_dataset):
    value = make_dataset()
    commit = artifacts.publish(ASSET, partition, value, _attempt(code_version="3", inputs={"up@1": "1:d"}))
    found = artifacts.load(ASSET, partition, Dataset)
    assert found == value
    assert (commit.number, commit.status, commit.data_version) == (1, "published", value.fingerprint.digest)
    assert (commit.code_version, commit.inputs) == ("3", {"up@1": "1:d"})
    assert commit.properties == {"rows": 3, "columns": 2}


def test_a_validated_dataset_keeps_its_receipt(artifacts, make_validated):
    value = make_validated()
    artifacts.publish(ASSET, None, value, _attempt())
    assert artifacts.load(ASSET, None, ValidatedDataset) == value


def test_data_without_a_receipt_is_never_read_as_validated(artifacts, make_dataset):
    artifacts.publish(ASSET, None, make_dataset(), _attempt())
    with pytest.raises(DigestMismatchError, match="no gate receipt"):
        artifacts.load(ASSET, None, ValidatedDataset)


def test_a_spec_comes_back_as_it_was_published(artifacts, make_receipt):
    value = make_receipt()
    artifacts.publish(ASSET, None, value, _attempt())
    assert artifacts.load(ASSET, None, GateReceipt) == value


@pytest.fixture
def model():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    rows = pd.DataFrame({"x": np.arange(20.0), "z": np.arange(20.0)[::-1] ** 2})
    estimator = Pipeline([("preprocessing", StandardScaler()), ("model", LogisticRegression())])
    estimator.fit(rows, np.arange(20) > 9)
    columns = tuple(ColumnSchema(name=name, dtype="double", role=ColumnRole.NUMERIC) for name in rows.columns)
    manifest = ModelManifest(
        pipeline="demo",
        task=Task.BINARY,
        target="y",
        classes=(False, True),
        features=TableSchema(version=1, columns=columns),
        family="logistic_regression",
        parameters={"C": 1.0},
        scenario_applied="full",
        seed=1,
        model_version="1",
        spec_digest="s" * 64,
        data_digests={"": "d" * 64},
        train_rows=20,
        holdout_rows=5,
        library_versions={},
    )
    return TrainedModel(estimator=estimator, manifest=manifest, input_example=rows.head(5))


def test_a_trained_model_comes_back_and_says_the_same(artifacts, model):
    commit = artifacts.publish(ASSET, None, model, _attempt())
    found = artifacts.load(ASSET, None, TrainedModel)
    rows = model.input_example
    np.testing.assert_array_equal(found.estimator.predict_proba(rows), model.estimator.predict_proba(rows))
    assert found.manifest == model.manifest
    pd.testing.assert_frame_equal(found.input_example, rows)
    assert commit.properties == {"family": "logistic_regression", "train_rows": 20}


def test_a_model_with_a_flipped_byte_is_refused(artifacts, model, backend):
    commit = artifacts.publish(ASSET, None, model, _attempt())
    for item in commit.objects:
        stored = backend.store.get_bytes(item.key)
        backend.overwrite(item.key, stored[:-20] + bytes([stored[-20] ^ 1]) + stored[-19:])
        with pytest.raises(DigestMismatchError, match="differs from the published one"):
            artifacts.load(ASSET, None, TrainedModel)
        backend.overwrite(item.key, stored)
    artifacts.load(ASSET, None, TrainedModel)


def test_what_has_no_safe_format_is_refused_before_anything_is_stored(artifacts, store):
    for value in ({"a": 1}, object(), pd.DataFrame(), None, lambda: None):
        with pytest.raises(StorageError, match="no safe format"):
            artifacts.publish(ASSET, None, value, _attempt())
    assert list(store.list_objects("")) == []


def test_an_artifact_of_another_kind_is_refused(artifacts, make_dataset, make_receipt):
    artifacts.publish(ASSET, None, make_dataset(), _attempt())
    with pytest.raises(StorageError, match="of another kind"):
        artifacts.load(ASSET, None, GateReceipt)
    artifacts.publish(ASSET, "receipt", make_receipt(), _attempt())
    with pytest.raises(StorageError, match="another kind") as refused:
        artifacts.load(ASSET, "receipt", BestHyperparameters)
    assert "BestHyperparameters" in refused.value.expected


def test_publishing_twice_under_one_attempt_publishes_once(artifacts, make_receipt):
    first = artifacts.publish(ASSET, None, make_receipt(), _attempt("a"))
    artifacts.publish(ASSET, None, make_receipt(rows=4), _attempt("b"))
    assert artifacts.publish(ASSET, None, make_receipt(), _attempt("a")) == first
    assert [commit.attempt_id for commit in artifacts.log.history(ASSET, None)] == ["a", "b"]


def test_readers_see_the_newest_version_and_may_read_an_earlier_one(artifacts, make_receipt):
    first = artifacts.publish(ASSET, None, make_receipt(rows=1), _attempt("a"))
    artifacts.publish(ASSET, None, make_receipt(rows=2), _attempt("b"))
    assert artifacts.load(ASSET, None, GateReceipt).rows == 2
    assert artifacts.read(first, GateReceipt).rows == 1


def test_racing_publishers_all_become_versions_and_mix_nothing(artifacts, make_receipt, in_threads):
    made = in_threads(8, lambda n: artifacts.publish(ASSET, None, make_receipt(rows=n), _attempt(f"a{n}")).number)
    assert sorted(made) == list(range(1, 9))
    for row, number in enumerate(made):
        assert artifacts.read(artifacts.log.read(ASSET, None, number), GateReceipt).rows == row


@pytest.mark.parametrize("broken", ["put_file", "put_if_absent"])
def test_a_crash_before_the_commit_leaves_nothing_visible(broken, store, wrapped, make_dataset):
    class Crashing(wrapped):
        count = 0

        def put_file(self, key, path):
            self.count += 1
            if broken == "put_file" and self.count == 2:
                raise StoreUnavailableError("down")
            super().put_file(key, path)

        def put_if_absent(self, key, data):
            if broken == "put_if_absent":
                raise StoreUnavailableError("down")
            return super().put_if_absent(key, data)

    with pytest.raises(StoreUnavailableError, match="down"):
        ArtifactStore(Crashing(store)).publish(ASSET, None, make_dataset(), _attempt())
    with pytest.raises(ArtifactNotFoundError):
        ArtifactStore(store).load(ASSET, None, Dataset)
    ArtifactStore(store).publish(ASSET, None, make_dataset(), _attempt())
    assert ArtifactStore(store).load(ASSET, None, Dataset) == make_dataset()


def _edited(data, column, row, value):
    table = pq.read_table(io.BytesIO(data))
    values = table.column(column).to_pylist()
    values[row] = value
    position = table.column_names.index(column)
    edited = table.set_column(position, table.schema.field(column), pa.array(values, table.schema.field(column).type))
    out = io.BytesIO()
    pq.write_table(edited, out, compression="zstd", write_page_checksum=True)
    return out.getvalue()


@pytest.mark.parametrize(("column", "row", "value"), [("x", 1, 99), ("y", 0, None), ("y", 2, "")])
def test_one_edited_cell_is_found_and_its_column_named(column, row, value, artifacts, backend, make_dataset):
    artifacts.publish(ASSET, None, make_dataset(), _attempt())
    key = _key_of(artifacts, "data.parquet")
    backend.overwrite(key, _edited(backend.store.get_bytes(key), column, row, value))
    with pytest.raises(DigestMismatchError) as refused:
        artifacts.load(ASSET, None, Dataset)
    assert f"column {column}" in refused.value.where
    with pytest.raises(DigestMismatchError):
        artifacts.load(ASSET, None, Dataset, columns=[column])
    other = {"x": "y", "y": "x"}[column]
    assert artifacts.load(ASSET, None, Dataset, columns=[other]).table.column_names == [other]


def test_a_lost_row_is_found(artifacts, backend, make_dataset):
    artifacts.publish(ASSET, None, make_dataset(), _attempt())
    key, out = _key_of(artifacts, "data.parquet"), io.BytesIO()
    pq.write_table(make_dataset().table.slice(0, 2), out)
    backend.overwrite(key, out.getvalue())
    with pytest.raises(DigestMismatchError):
        artifacts.load(ASSET, None, Dataset)


def test_a_column_lost_or_put_in_between_is_found(artifacts, backend, make_dataset):
    artifacts.publish(ASSET, None, make_dataset(), _attempt())
    key, table = _key_of(artifacts, "data.parquet"), make_dataset().table
    for other in (table.drop_columns("y"), table.rename_columns(["x", "z"])):
        out = io.BytesIO()
        pq.write_table(other, out)
        backend.overwrite(key, out.getvalue())
        with pytest.raises(DigestMismatchError):
            artifacts.load(ASSET, None, Dataset)


def test_no_columns_asked_for_are_all_rows_of_none(artifacts, make_dataset):
    artifacts.publish(ASSET, None, make_dataset(), _attempt())
    assert artifacts.load(ASSET, None, Dataset, columns=[]).table.shape == (3, 0)


def test_no_flipped_byte_changes_what_is_read(tmp_path, make_dataset):
    artifacts = ArtifactStore(LocalStore(tmp_path))
    value = make_dataset(x=[1, 2, 3], y=["a", "b", None])
    artifacts.publish(ASSET, None, value, _attempt())
    path = tmp_path / _key_of(artifacts, "data.parquet")
    whole, refused = path.read_bytes(), 0
    for position in range(0, len(whole), 7):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
        try:
            assert artifacts.load(ASSET, None, Dataset) == value
        except AssayError as error:
            assert isinstance(error, DigestMismatchError)  # noqa: PT017 - some bytes mean nothing
            refused += 1
    assert refused > len(whole) // 7 // 4


@pytest.mark.parametrize("left", [0, 3, 0.5, -1])
def test_a_truncated_file_is_refused(left, artifacts, backend, make_dataset):
    artifacts.publish(ASSET, None, make_dataset(), _attempt())
    key = _key_of(artifacts, "data.parquet")
    whole = backend.store.get_bytes(key)
    backend.overwrite(key, whole[: int(len(whole) * left) if 0 < left < 1 else left])
    with pytest.raises(DigestMismatchError, match="damaged"):
        artifacts.load(ASSET, None, Dataset)


def test_json_swapped_for_other_valid_json_is_refused(artifacts, backend, make_dataset, make_receipt):
    artifacts.publish(ASSET, None, make_receipt(verdict="failed"), _attempt())
    passed = make_receipt(verdict="passed").model_dump_json(indent=2).encode()
    backend.overwrite(_key_of(artifacts, "value.json"), passed)
    with pytest.raises(DigestMismatchError, match="differs from the published one") as refused:
        artifacts.load(ASSET, None, GateReceipt)
    assert "demo/artifact" in refused.value.where
    artifacts.publish(ASSET, None, make_dataset(), _attempt("b"))
    key = _key_of(artifacts, "schema.json")
    backend.overwrite(key, backend.store.get_bytes(key).replace(b"numeric", b"ignored"))
    with pytest.raises(DigestMismatchError):
        artifacts.load(ASSET, None, Dataset)


def test_a_deleted_object_is_reported_by_its_uri(artifacts, store, make_dataset):
    artifacts.publish(ASSET, None, make_dataset(), _attempt())
    key = _key_of(artifacts, "data.parquet")
    store.delete(key)
    with pytest.raises(StorageError) as refused:
        artifacts.load(ASSET, None, Dataset)
    assert store.uri(key) in refused.value.where


def test_a_refusal_is_reported_with_rules_and_report(artifacts, make_receipt, make_validated):
    artifacts.publish(ASSET, "2024-01", make_validated(), _attempt("a"))
    receipt = make_receipt(verdict="failed", failed_rules=("unique_id", "age_range"))
    commit = artifacts.reject(ASSET, "2024-01", receipt, receipt, _attempt("b"))
    for act in (
        lambda: artifacts.newest(ASSET, "2024-01"),
        lambda: artifacts.load(ASSET, "2024-01", ValidatedDataset),
    ):
        with pytest.raises(GateRejectedError) as refused:
            act()
        assert "unique_id, age_range" in refused.value.found
        assert artifacts.uri(commit) in refused.value.found
        assert "2024-01" in refused.value.where
    assert (commit.status, commit.number, commit.receipt) == ("rejected", 2, receipt)
    assert artifacts.read(commit, GateReceipt) == receipt


def test_a_page_becomes_visible_with_its_value_and_is_no_part_of_its_version(artifacts, store, make_receipt):
    receipt = make_receipt()
    bare = artifacts.publish(ASSET, None, receipt, _attempt("a"))
    commit = artifacts.publish(ASSET, None, receipt, _attempt("b"), {"page.html": "<p>naïve</p>"})
    refusal = artifacts.reject(ASSET, None, receipt, receipt, _attempt("c"), {"page.html": "no"})
    assert commit.data_version == bare.data_version
    assert store.get_bytes(_object(commit, "page.html").key) == "<p>naïve</p>".encode()
    assert artifacts.uri(commit, "page.html") == store.uri(_object(commit, "page.html").key)
    assert store.get_bytes(_object(refusal, "page.html").key) == b"no"
    assert artifacts.read(commit, GateReceipt) == receipt


def test_a_page_cannot_replace_the_value_s_file(artifacts, make_receipt):
    with pytest.raises(StorageError, match="name of one of the value's files"):
        artifacts.publish(ASSET, None, make_receipt(), _attempt(), {"value.json": "{}"})
    with pytest.raises(ArtifactNotFoundError):
        artifacts.newest(ASSET, None)


def test_a_file_that_was_not_published_has_no_address(artifacts, make_receipt):
    commit = artifacts.publish(ASSET, None, make_receipt(), _attempt())
    with pytest.raises(StorageError, match="no such file was published") as refused:
        artifacts.uri(commit, "page.html")
    assert refused.value.expected == "one of value.json"


def test_data_published_after_a_refusal_is_read_again(artifacts, make_receipt, make_validated):
    receipt = make_receipt(verdict="failed", failed_rules=("r",))
    artifacts.reject(ASSET, None, receipt, receipt, _attempt("a"))
    artifacts.publish(ASSET, None, make_validated(), _attempt("b"))
    assert artifacts.load(ASSET, None, ValidatedDataset) == make_validated()


def test_an_unpublished_version_is_reported_with_the_command_that_makes_it(artifacts):
    with pytest.raises(ArtifactNotFoundError) as refused:
        artifacts.load(ASSET, "2024-01", Dataset)
    assert "demo/artifact" in refused.value.where
    assert "2024-01" in refused.value.where
    assert "dg launch --assets '+key:" in refused.value.remedy
    assert "demo/artifact" in refused.value.remedy
    assert "--partition 2024-01" in refused.value.remedy
    with pytest.raises(ArtifactNotFoundError) as whole:
        artifacts.newest(ASSET, None)
    assert "--partition" not in whole.value.remedy


def test_the_command_that_makes_a_partition_survives_the_shell(artifacts):
    with pytest.raises(ArtifactNotFoundError) as refused:
        artifacts.newest(ASSET, "new data; rm -r.csv")
    words = shlex.split(refused.value.remedy)
    assert words[words.index("--partition") + 1] == "new data; rm -r.csv"
    assert words[-1] == "new data; rm -r.csv"


def test_of_several_partitions_all_that_are_missing_are_named(artifacts, make_receipt):
    artifacts.publish(ASSET, "b", make_receipt(), _attempt())
    with pytest.raises(ArtifactNotFoundError, match="for 2 partitions") as refused:
        artifacts.newest_of(ASSET, ["a", "b", "c"])
    assert refused.value.where.endswith("partition a, c")
    assert list(artifacts.newest_of(ASSET, ["b"])) == ["b"]
    assert artifacts.newest_of(ASSET, []) == {}


def test_a_refusal_among_several_partitions_is_reported_before_any_data_is_read(store, wrapped, make_receipt):
    class WithoutData(wrapped):
        def get_bytes(self, key):
            assert "/data/" not in key
            return super().get_bytes(key)

    artifacts = ArtifactStore(WithoutData(store))
    receipt = make_receipt(verdict="failed", failed_rules=("age_range",))
    artifacts.publish(ASSET, "a", make_receipt(), _attempt())
    artifacts.reject(ASSET, "b", receipt, receipt, _attempt())
    with pytest.raises(GateRejectedError) as refused:
        artifacts.newest_of(ASSET, ["a", "b"])
    assert "partition b" in refused.value.where


def test_a_window_costs_one_listing_and_one_record_for_each_partition(store, wrapped, make_receipt):
    asked = []

    class Counting(wrapped):
        def list_objects(self, prefix):
            asked.append("list")
            return super().list_objects(prefix)

        def get_bytes(self, key):
            asked.append("get")
            return super().get_bytes(key)

    artifacts = ArtifactStore(Counting(store))
    months = [f"2024-0{month}" for month in range(1, 7)]
    for month in months:
        for version in ("a", "b", "c"):
            artifacts.publish(ASSET, month, make_receipt(), _attempt(version))
    asked.clear()
    assert [commit.number for commit in artifacts.newest_of(ASSET, months).values()] == [3] * 6
    assert (asked.count("list"), asked.count("get")) == (6, 6)


def test_columns_are_read_in_the_order_asked_for_and_no_others(artifacts, make_dataset):
    value = make_dataset(**{"a": [1, 2], "a.b": [3, 4], "c": ["x", None]})
    artifacts.publish(ASSET, None, value, _attempt())
    found = artifacts.load(ASSET, None, Dataset, columns=["c", "a"])
    assert found.table == value.table.select(["c", "a"])
    assert found.schema == value.schema.project(("c", "a"))
    assert found.fingerprint == fingerprint(found.table)


def test_a_column_that_is_not_stored_is_refused_by_name(artifacts, make_dataset):
    artifacts.publish(ASSET, None, make_dataset(amount=[1]), _attempt())
    with pytest.raises(MissingColumnError, match="not stored") as refused:
        artifacts.load(ASSET, None, Dataset, columns=["amuont"])
    assert "did you mean 'amount'" in refused.value.found


def test_three_of_fifty_columns_cost_few_bytes(aws, make_dataset):
    from resources.store.s3 import S3Store

    artifacts = ArtifactStore(S3Store(aws, "bucket", ""))
    random = np.random.default_rng(0)
    names = [f"c{number}" for number in range(50)]
    artifacts.publish(ASSET, None, make_dataset(**{name: random.normal(size=20_000) for name in names}), _attempt())
    got = []
    aws.meta.events.register(
        "after-call.s3.GetObject", lambda parsed, **_: got.append(int(parsed.get("ContentLength", 0)))
    )
    asked = ["c7", "c30", "c44"]
    assert artifacts.load(ASSET, None, Dataset, columns=asked).table.column_names == asked
    few = sum(got)
    got.clear()
    artifacts.load(ASSET, None, Dataset)
    assert few < sum(got) * 0.3
    assert sum(got) < 1.2 * 50 * 20_000 * 8


def _seconds(kind):
    return pa.array([0, 1, None, -1], kind)


COLUMNS = {
    "timestamp[s]": _seconds(pa.timestamp("s")),
    "timestamp[ms]": _seconds(pa.timestamp("ms")),
    "timestamp[us, tz]": _seconds(pa.timestamp("us", "Europe/Berlin")),
    "timestamp[s, tz]": _seconds(pa.timestamp("s", "UTC")),
    "timestamp[ns]": _seconds(pa.timestamp("ns")),
    "date32": _seconds(pa.date32()),
    "date64": pa.array([dt.date(2024, 1, 1), None], pa.date64()),
    "time32": pa.array([0, 1, None], pa.time32("s")),
    "duration": _seconds(pa.duration("s")),
    "dictionary": pa.array(["a", None, "b", "a"]).dictionary_encode(),
    "dictionary of int": pa.array([5, None, 7]).dictionary_encode(),
    "dictionary of seconds": _seconds(pa.timestamp("s")).dictionary_encode(),
    "large_string": pa.array(["a", None, ""], pa.large_string()),
    "string_view": pa.array(["a", None, "ü" * 40], pa.string_view()),
    "null": pa.nulls(3),
    "decimal": pa.array([decimal.Decimal("1.10"), None], pa.decimal128(12, 2)),
    "float": pa.array([float("nan"), None, -0.0, float("inf")]),
    "float16": pa.array([1.0, None], pa.float32()).cast(pa.float16()),
    "uint64": pa.array([2**64 - 1, None], pa.uint64()),
    "bool": pa.array([True, None, False]),
    "binary": pa.array([b"\0", None, b""]),
    "list": pa.array([[1], None, []]),
    "struct": pa.array([{"a": 1}, None]),
    "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("rows", ["none", "all"])
def test_every_kind_of_column_comes_back_with_an_equal_fingerprint(name, rows, tmp_path, make_dataset):
    artifacts = ArtifactStore(LocalStore(tmp_path))
    column = COLUMNS[name] if rows == "all" else COLUMNS[name][:0]
    value = make_dataset(pa.table({"c": pa.chunked_array([column, column])}))
    artifacts.publish(ASSET, None, value, _attempt())
    found = artifacts.load(ASSET, None, Dataset)
    assert found.fingerprint == value.fingerprint
    assert found.schema == value.schema


def test_a_table_without_columns_or_rows_comes_back(tmp_path, make_dataset):
    artifacts = ArtifactStore(LocalStore(tmp_path))
    value = make_dataset(pa.table({}))
    artifacts.publish(ASSET, None, value, _attempt())
    assert artifacts.load(ASSET, None, Dataset).fingerprint == value.fingerprint


@pytest.mark.parametrize(
    "column",
    [
        pa.array([{}], pa.struct([])),
        pc.run_end_encode(pa.array([1, 1, 2])),
        pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
    ],
    ids=["empty struct", "run ends", "interval"],
)
def test_what_parquet_cannot_hold_is_refused_before_publishing(column, tmp_path, make_dataset):
    store = LocalStore(tmp_path)
    try:
        value = make_dataset(pa.table({"c": column}))
    except (AssayError, pa.ArrowException):
        pytest.fail("a dataset of it cannot be made")
    with pytest.raises(StorageError, match="cannot be stored"):
        ArtifactStore(store).publish(ASSET, None, value, _attempt())
    assert list(store.list_objects("")) == []


UNSAFE = {"pickle", "cPickle", "_pickle", "joblib", "cloudpickle", "dill", "shelve", "marshal"}


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (alias.name for alias in node.names)


def test_no_module_imports_an_unsafe_format():
    modules = [path for part in ("assay", "resources") for path in (ROOT / part).rglob("*.py")]
    assert len(modules) > 50
    assert [(path.name, name) for path in modules for name in _imports(path) if name.split(".")[0] in UNSAFE] == []


LONG = "\u6771" * 54


def test_objects_that_version_0_1_stored_under_long_names_are_found_on_s3(aws, make_dataset, monkeypatch):
    """Names of more than 255 bytes were keys of S3 as they were; they are hashed now, as no file may be called so."""
    asset, again = ("p", LONG), S3Store(aws, "bucket", "lake")
    with monkeypatch.context() as earlier:
        earlier.setattr("resources.store.interface._LONGEST", 10_000)
        old = S3Store(aws, "bucket", "lake")
        ArtifactStore(old).publish(asset, LONG, make_dataset(), _attempt("r-1"))
        old.put_if_absent(f"{attempt_prefix(asset, LONG, 'r-9')}left", b"")
    artifacts = ArtifactStore(again)
    assert artifacts.load(asset, LONG, Dataset).table.num_rows == 3
    assert artifacts.publish(asset, LONG, make_dataset(x=[1]), _attempt("r-2")).number == 2
    assert ArtifactStore(S3Store(aws, "bucket", "lake")).load(asset, LONG, Dataset).table.num_rows == 1
    assert [commit.number for commit in artifacts.log.history(asset, LONG)] == [1, 2]
    restore(artifacts.log, asset, LONG, 1, attempt_id="r-3")
    monkeypatch.setattr(S3Store, "clock", lambda store: time.time() + 86400)
    removed = collect_garbage(S3Store(aws, "bucket", "lake"), older_than_seconds=0)
    assert [key.rpartition("/")[2] for key in removed] == ["left"]
    assert artifacts.load(asset, LONG, Dataset).table.num_rows == 3
    assert len(list(again.list_objects(f"{encoded('p')}/"))) == 3 + 4


def test_new_long_names_are_hashed_on_s3_too(aws, make_dataset):
    for name in (LONG, LONG + "x"):
        ArtifactStore(S3Store(aws, "bucket", "")).publish((name,), None, make_dataset(), _attempt())
    keys = [item["Key"] for item in aws.list_objects_v2(Bucket="bucket")["Contents"]]
    assert max(len(part) for key in keys for part in key.split("/")) <= 255
    assert len({key.split("/")[0] for key in keys}) == 2


@pytest.mark.parametrize("name", ["data.parquet", "schema.json", "value.json"])
def test_a_bit_that_flips_in_a_body_of_s3_is_fetched_again(aws, make_dataset, name):
    artifacts = ArtifactStore(S3Store(aws, "bucket", ""))
    value = make_dataset().schema if name == "value.json" else make_dataset()
    artifacts.publish(ASSET, None, value, _attempt())
    flipped = []

    def flip(parsed, **_):
        body = parsed.get("Body")
        if body is not None and not flipped and wanted[-1].endswith(name):
            data = bytearray(body.read())
            data[len(data) // 2] ^= 1
            parsed["Body"] = io.BytesIO(bytes(data))
            flipped.append(wanted[-1])

    wanted = []
    aws.meta.events.register("provide-client-params.s3.GetObject", lambda params, **_: wanted.append(params["Key"]))
    aws.meta.events.register("after-call.s3.GetObject", flip)
    assert artifacts.load(ASSET, None, type(value)) == value
    assert len(flipped) == 1


def test_markers_of_s3_consoles_stop_neither_readers_nor_the_janitor(aws, make_dataset, monkeypatch):
    """A console makes `folder/` objects; one below `commits/` stopped the janitor for the whole store."""
    store = S3Store(aws, "bucket", "lake")
    artifacts = ArtifactStore(store)
    artifacts.publish(ASSET, None, make_dataset(), _attempt("r-1"))
    for key in ("", "commits/", "commits/.DS_Store", "commits/old/", "data/", "data/r-1/", "data/r-9/left"):
        aws.put_object(Bucket="bucket", Key=f"lake/{series_prefix(ASSET, None)}{key}", Body=b"")
    aws.put_object(Bucket="bucket", Key="lake/@champion_journals/m/", Body=b"")
    assert ChampionJournal(store, "m").current() is None
    monkeypatch.setattr(S3Store, "clock", lambda store: time.time() + 86400)
    removed = collect_garbage(store, older_than_seconds=0)
    assert f"{series_prefix(ASSET, None)}data/r-9/left" in removed
    assert artifacts.load(ASSET, None, Dataset).table.num_rows == 3
    assert artifacts.publish(ASSET, None, make_dataset(), _attempt("r-2")).number == 2


def test_the_janitor_goes_by_the_clock_of_the_store(store, make_dataset, monkeypatch):
    store.put_if_absent(f"{attempt_prefix(ASSET, None, 'r-1')}on-its-way", b"")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 2 * 86400 + 60)
    assert collect_garbage(store, older_than_seconds=48 * 3600) == []


def test_a_model_that_is_exported_to_s3_is_the_base_of_a_training(aws, model, monkeypatch):
    """The reader follows the manifest to the files, and takes a bundle of version 0.1 with its files beside it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    target = SimpleNamespace(target_output_path="s3://bucket/served", scenario="incremental")
    spec = SimpleNamespace(training=target, registered_name="demo", model=SimpleNamespace(version="1"))
    exporter = ModelExporter(object_store=object_store_at("unused", region_name="us-east-1"), overwrite=False)
    address = exporter.export(model, spec)
    assert address == "s3://bucket/served/demo_v1"
    storage = PlatformStorage(Settings(_env_file=None))
    for item in aws.list_objects_v2(Bucket="bucket", Prefix="served/")["Contents"]:
        name = item["Key"].rpartition("/")[2]
        aws.copy_object(Bucket="bucket", CopySource=f"bucket/{item['Key']}", Key=f"earlier/{name}")
    manifest = json.loads(aws.get_object(Bucket="bucket", Key="earlier/manifest.json")["Body"].read())
    assert manifest.pop("folder")
    aws.put_object(Bucket="bucket", Key="earlier/manifest.json", Body=json.dumps(manifest).encode())
    for place in (address, "s3://bucket/earlier"):
        found = base_model(place, spec, storage).model
        assert found.manifest == model.manifest
        assert (found.estimator.predict(model.input_example) == model.estimator.predict(model.input_example)).all()
    with pytest.raises(TargetExistsError):
        exporter.export(model.annotated(other="1"), spec)
