"""Steps are compared with the frozen schemas when a file is loaded: also behind other sources and functions."""

import sys
import types

import pyarrow as pa
import pytest

from assay.data.frozen_schema import FrozenColumn, FrozenSchema, reviewed_file, to_yaml
from assay.data.source_rows import source_rows
from assay.errors import AssayError, FeatureStepError
from assay.features.running import run_steps
from assay.learning.known_names import name_check
from assay.specs.dataset import ColumnRole
from assay.specs.loading import parse_pipeline

HEAD = """\
name: rides
task: regression
dataset: {source: rides.csv, target: minutes}
features:
  tables: [{table: bikes, source: bikes.csv}]
  steps:
    - join: {table: weather, source: weather.csv, on: {station: place}, as_of: {left: start, right: hour}}
    - sql: select r.*, b.kilos from rows r left join bikes b using (bike)
    - python: own_steps:faster
      gives: {speed: number}
    - derive: {cold: degrees < 5, slow: speed < kilos}
"""
ROWS = {"station": "string", "bike": "string", "start": "timestamp[us]", "minutes": "double"}
WEATHER = {"place": "string", "hour": "timestamp[us]", "degrees": "int64"}
BIKES = {"bike": "string", "kilos": "double"}


@pytest.fixture
def own_steps(monkeypatch):
    module = types.ModuleType("own_steps")
    module.faster = lambda table: table.append_column("speed", pa.array([1.0] * table.num_rows))
    monkeypatch.setitem(sys.modules, "own_steps", module)
    return module


@pytest.fixture
def load(tmp_path, own_steps, monkeypatch):
    """Return a function that loads the file with one text replaced; frozen schemas are those of all sources."""
    monkeypatch.setattr("assay.features.checks.refuse_missing_object", lambda path: None)
    for name, columns in {"rides": ROWS, "rides.weather": WEATHER, "rides.bikes": BIKES}.items():
        frozen = [FrozenColumn(name=each, dtype=dtype, role=ColumnRole.NUMERIC) for each, dtype in columns.items()]
        schema = FrozenSchema(version=1, columns=tuple(frozen))
        reviewed_file(tmp_path, name, 1).write_text(to_yaml(schema, name))

    def loaded(old="", new="", *, more="", without=""):
        if without:
            reviewed_file(tmp_path, without, 1).unlink()
        assert old in HEAD
        return parse_pipeline(HEAD.replace(old, new) + more, where="rides.yaml", names=name_check(tmp_path))

    return loaded


def test_what_fits_every_schema_is_loaded(load):
    load()


@pytest.mark.parametrize(
    ("old", "new", "line", "text"),
    [
        ("degrees < 5", "degreees < 5", 11, "did you mean 'degrees'"),
        ("right: hour", "right: our", 7, "did you mean 'hour'"),
        ("station: place", "station: degrees", 7, "types that are not compared"),
        ("b.kilos", "b.killos", 8, "did you mean 'kilos'"),
        ("gives: {speed", "gives: {speeed", 11, "did you mean 'speeed'"),
        (
            "gives: {speed: number}",
            "gives: {speed: text}\n    - clip: {speed: {min: 0}}",
            11,
            "only numbers are clipped",
        ),
        ("bikes.csv}", "bikes.csv, time: kilo}", 5, "did you mean 'kilos'"),
    ],
)
def test_columns_and_types_are_compared_with_every_schema(load, old, new, line, text):
    with pytest.raises(AssayError, match=text) as caught:
        load(old, new)
    assert f"rides.yaml:{line} " in str(caught.value)


def test_rules_are_compared_with_the_columns_that_steps_give(load):
    with pytest.raises(AssayError, match="did you mean 'kilos'"):
        load(more="validation: {ranges: {kilo: {min: 1}}}\n")


@pytest.mark.parametrize(("without", "old"), [("rides.weather", "degrees <"), ("rides.bikes", "kilos}")])
def test_the_check_ends_at_a_source_that_is_not_frozen(load, without, old):
    load(old, old.replace("e", "ee").replace("k", "kk"), without=without)


def test_the_check_ends_at_a_function_that_does_not_say_what_it_gives(load):
    load("      gives: {speed: number}\n    - derive: {cold: degrees", "    - derive: {cold: degreees")


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda table: table, "other columns than `gives` says"),
        (lambda table: table.append_column("speed", pa.array(["x"] * len(table))), "another type than `gives` says"),
    ],
)
def test_a_function_gives_what_it_is_said_to(own_steps, function, text):
    own_steps.faster = function
    steps = "dataset: {source: rides.csv, target: minutes}\nfeatures: {steps: [{python: own_steps:faster, gives: {speed: number}}]}\n"
    spec = parse_pipeline("name: rides\ntask: regression\n" + steps, where="x")
    rows = source_rows(pa.table({"minutes": [1.0, 2.0]}), spec.source_dataset).partition(None, where="raw")
    with pytest.raises(FeatureStepError, match=text):
        run_steps(rows.table, rows.schema, spec, where="p")
