"""The first data under a version freezes its columns, on every store."""

import json
import threading

import pyarrow as pa
import pytest
from object_stores import object_store_at

from assay.data.source_rows import source_rows
from assay.errors import SchemaDriftError
from assay.specs import PipelineSpec
from resources.schema_registry import SchemaRegistry


@pytest.fixture(params=["local", "s3"])
def registry(request, tmp_path):
    if request.param == "local":
        return SchemaRegistry(object_store=object_store_at(tmp_path / "store"))
    request.getfixturevalue("aws")
    return SchemaRegistry(object_store=object_store_at("s3://bucket/some/prefix"))


def pipeline(version=1, name="demo", **dataset):
    document = {"source": "rows.csv", "target": "y", "schema_version": version, **dataset}
    return PipelineSpec.model_validate_json(json.dumps({"name": name, "task": "regression", "dataset": document}))


def conformed(registry, columns, spec=None):
    spec = spec or pipeline()
    version = registry.version_of(spec)
    rows = source_rows(pa.table(columns), spec.dataset, version, frozen=version.frozen())
    return rows.partition(None, where="demo")


FIRST = {"x": pa.array([1.5, 2.0]), "y": pa.array([1, 2])}


def test_the_first_data_freezes_and_is_returned_as_it_is(registry):
    assert conformed(registry, FIRST).table.equals(pa.table(FIRST))


def test_later_data_takes_the_frozen_order_and_dtypes(registry):
    conformed(registry, FIRST)
    later = conformed(registry, {"y": pa.array([3.0]), "x": pa.array([4])})
    assert later.table.equals(pa.table({"x": [4.0], "y": [3]}))
    assert later.schema.names == ("x", "y")
    assert [column.dtype for column in later.schema.columns] == ["double", "int64"]


def test_data_of_the_same_schema_keeps_its_fingerprint(registry):
    assert conformed(registry, FIRST).fingerprint == conformed(registry, FIRST).fingerprint


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"y": [1]}, "'x' is missing"),
        ({"x": [1.0], "y": [1], "z": [1]}, "'z' is new"),
        ({"x": ["a"], "y": [1]}, "'x' changed its dtype"),
        ({"x": [1.0], "y": [3.7]}, "'y' changed its dtype"),
    ],
)
def test_drift_is_refused_with_the_column_and_the_remedy(tmp_path, columns, message):
    registry = SchemaRegistry(object_store=object_store_at(tmp_path))
    conformed(registry, FIRST)
    with pytest.raises(SchemaDriftError, match=message) as caught:
        conformed(registry, columns)
    assert caught.value.where == "demo"
    assert "schema_version" in caught.value.remedy


def test_a_refused_table_leaves_the_frozen_schema_as_it_was(registry):
    conformed(registry, FIRST)
    with pytest.raises(SchemaDriftError):
        conformed(registry, {"x": ["a"], "y": [1]})
    assert conformed(registry, FIRST).schema["x"].dtype == "double"


def test_the_columns_that_identify_a_row_outlive_a_schema_version(registry):
    derived = {"derive": {"large": {"column": "x", "greater_than": 1.7}}}
    assert conformed(registry, FIRST, pipeline(**derived)).schema.row_identity == ("x",)
    more = FIRST | {"z": pa.array([1, 2])}
    for version in (2, 4):  # a version may be left out
        assert conformed(registry, more, pipeline(version, **derived)).schema.row_identity == ("x",)
    fewer = {"y": FIRST["y"], "z": more["z"]}
    assert conformed(registry, fewer, pipeline(5)).schema.row_identity == ("z",)


def test_another_version_freezes_again_and_leaves_the_first(registry):
    other = {"words": pa.array(["a"]), "y": pa.array([1])}
    conformed(registry, FIRST)
    assert conformed(registry, other, pipeline(version=2)).schema.version == 2
    assert conformed(registry, other, pipeline(version=2)).schema.names == ("words", "y")
    assert conformed(registry, FIRST).schema.names == ("x", "y")


def test_pipelines_do_not_share_schemas(registry):
    conformed(registry, FIRST)
    assert conformed(registry, {"y": pa.array(["a"])}, pipeline(name="other")).schema.names == ("y",)


def test_of_two_at_once_one_freezes_and_the_other_conforms(registry):
    start, results = threading.Barrier(2), {}

    def run(kind, columns):
        spec = pipeline()
        rows = source_rows(pa.table(columns), spec.dataset, registry.version_of(spec))
        start.wait()
        results[kind] = rows.partition(None, where=kind)

    whole = {"x": pa.array([1, 2]), "y": pa.array([1, 2])}
    threads = [
        threading.Thread(target=run, args=each)
        for each in (("whole", whole), ("fractional", whole | {"x": [1.0, 2.0]}))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results["whole"].table.schema == results["fractional"].table.schema
    assert results["whole"].fingerprint == results["fractional"].fingerprint


def test_a_declared_role_wins_over_the_frozen_one(registry):
    conformed(registry, FIRST)
    declared = pipeline(columns={"x": {"role": "ignored"}})
    assert conformed(registry, FIRST, declared).schema["x"].role == "ignored"
