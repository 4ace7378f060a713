"""Steps that are wrong: the code, the place and the hint that a user gets, at load where a file tells it, else by row."""

import pyarrow as pa
import pytest

from assay.data.source_rows import source_rows
from assay.errors import AssayError, SchemaDriftError
from assay.features.feature_set import feature_set_of
from assay.importing import ImportPolicy, confined_imports
from assay.learning.known_names import name_check
from assay.specs.loading import parse_pipeline

HEAD = """\
name: p
task: regression
dataset: {source: t.csv, target: a}
features:
  steps:
"""
SCHEMA = """\
version: 1
columns:
- {name: id, dtype: string, role: identifier}
- {name: a, dtype: int64, role: numeric}
- {name: b, dtype: int64, role: numeric}
- {name: big, dtype: int64, role: numeric}
- {name: day, dtype: "timestamp[us]", role: datetime}
"""
LARGEST = 2**63 - 1
AT_LOAD = [
    # does not parse
    ("derive: {x: a +}", "spec_invalid", 'derive.x) found: syntax error at or near ")"'),
    ("filter: {odd: a + > 1}", "spec_invalid", 'filter.odd) found: syntax error at or near ">"'),
    ("aggregate: {by: [b], columns: {s: sum(a) +}}", "spec_invalid", "columns.s) found: syntax error"),
    ("sql: selec a from rows", "spec_invalid", 'not one SELECT over the rows found: syntax error at or near "selec"'),
    ("sql: select a from rows; select b from rows", "spec_invalid", "more than one statement"),
    # a column that is not there
    ("derive: {x: aa + 1}", "column_missing", "did you mean 'a'"),
    ("filter: bg > 1", "column_missing", "did you mean 'big'"),
    ("aggregate: {by: [dy], columns: {n: count(*)}}", "column_missing", "did you mean 'day'"),
    ("sql: select a, dy from rows", "column_missing", "did you mean 'day'"),
    ("sql: select a, rows.bg from rows", "column_missing", "did you mean 'big'"),
    ("convert: {dy: text}", "column_missing", "did you mean 'day'"),
    ("fill: {bg: 1}", "column_missing", "did you mean 'big'"),
    ("clip: {bg: {min: 1}}", "column_missing", "did you mean 'big'"),
    ("rename: {bg: c}", "column_missing", "did you mean 'big'"),
    ("select: [a, bg]", "column_missing", "did you mean 'big'"),
    # of another type
    ("clip: {id: {min: 1}}", "feature_step_failed", "only numbers are clipped found: id, of type VARCHAR"),
    ("derive: {x: day + id}", "feature_step_failed", "does not fit the columns' types"),
    # a file, a table, an extension
    ("derive: {x: read_text(id)}", "spec_invalid", "the function read_text"),
    ("derive: {x: getenv(id)}", "spec_invalid", "the function getenv"),
    ("sql: select * from 't.csv'", "spec_invalid", "the table t.csv"),
    ("sql: select * from read_csv('t.csv')", "spec_invalid", "table function"),
    ("sql: select * from information_schema.tables", "spec_invalid", "the table information_schema.tables"),
    ("sql: install httpfs", "spec_invalid", "not one SELECT over the rows"),
    ("sql: copy rows to 'x.csv'", "spec_invalid", "not one SELECT over the rows"),
    # the clock, the session, chance
    ("derive: {x: now()}", "spec_invalid", "the function now"),
    ("derive: {x: current_date}", "column_missing", "there is no column 'current_date'"),
    ("derive: {x: age(day)}", "spec_invalid", "the function age"),
    ("sql: 'select *, today() as x from rows'", "spec_invalid", "the function today"),
    ("sql: 'select *, current_date as x from rows'", "spec_invalid", "rows.current_date"),
    ("sql: 'select *, LocalTimestamp as x from rows'", "spec_invalid", "may be the clock or the session"),
    ("sql: 'select *, (select user) as x from rows'", "spec_invalid", "may be the clock or the session"),
    ("derive: {x: random()}", "spec_invalid", "the function random"),
    ("sql: 'select *, uuid() as x from rows'", "spec_invalid", "the function uuid"),
    ("sql: select * from rows using sample 5", "spec_invalid", "a sample"),
    # another number of rows, as far as the text tells
    ("derive: {x: 'unnest([1, 2])'}", "spec_invalid", "the function unnest"),
    ("derive: {x: (select max(a) from rows)}", "spec_invalid", "a subquery"),
    ("sql: 'select * from rows, generate_series(1, 3)'", "spec_invalid", "table function"),
    # a function of the user's own
    ("python: own_step:run", "spec_invalid", "did you mean 'own_steps'"),
    ("python: own_steps:runs", "spec_invalid", "did you mean 'run'"),
    ("python: own_broken:run", "spec_invalid", "is no Python found: line 1: '(' was never closed"),
    ("python: os:system", "spec_invalid", "may not be named here"),
]
AT_THE_ROW = [
    ("derive: {x: a / b}", "Division by zero", "row 3 of the source's rows; a = 3, b = 0"),
    ("derive: {x: a % b}", "Division by zero", "row 3 of the source's rows"),
    ("derive: {x: a // b}", "Division by zero", "row 3 of the source's rows"),
    ("filter: a / b > 0", "Division by zero", "row 3 of the source's rows"),
    ("sql: 'select *, a / b as x from rows'", "Division by zero", "row 3 of the source's rows"),
    ("derive: {x: big + 1}", "Overflow in addition of INT64", f"row 3 of the source's rows; big = {LARGEST}"),
    ("derive: {x: big * 2}", "Overflow in multiplication", f"row 3 of the source's rows; big = {LARGEST}"),
    ("derive: {x: exp(big)}", "the result is no finite number", "row 3 of the source's rows"),
    ("derive: {x: cast(big as integer)}", "out of range", "row 3 of the source's rows"),
    ("convert: {id: integer}", "not the same in the other type", "row 1 of the source's rows; id = r1"),
    ("derive: {x: cast(id as date)}", "Conversion Error", "row 1 of the source's rows; id = r1"),
    ("python: own_steps:fewer", "does not give a table of the same rows", "found: 3 rows"),
    ("python: own_steps:fails", "the function raises an error", "found: ValueError: no such thing"),
    ("sql: 'select r.* from rows r, rows s where s.a < 3'", "there more than once", "row 1 and 3 more"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A deployment's folder with a schema and modules of users, which are imported once in a process."""
    folder = tmp_path_factory.mktemp("deployment")
    (folder / "p.v1.yaml").write_text(SCHEMA)
    (folder / "own_steps.py").write_text(
        "def run(table):\n    return table\n\n\ndef fewer(table):\n    return table.slice(1)\n\n\n"
        "def typed(table):\n    size = table.column('b')\n    large = size[0].as_py() > 5\n"
        "    return table.append_column('size', size.cast('string') if large else size)\n\n\n"
        "def fails(table):\n    raise ValueError('no such thing')\n"
    )
    (folder / "own_broken.py").write_text("def run(table:\n")
    return folder


@pytest.fixture
def loaded(folder):
    """Return a function that loads a pipeline of one step."""

    def load(step):
        return parse_pipeline(f"{HEAD}    - {step}\n", where="p.yaml", names=name_check(folder))

    with confined_imports(ImportPolicy(folder)):
        yield load


def in_one_line(error):
    return " ".join(str(error).split())


@pytest.mark.parametrize(("step", "code", "text"), AT_LOAD)
def test_a_step_is_refused_when_the_file_is_loaded(loaded, step, code, text):
    with pytest.raises(AssayError) as refused:
        loaded(step)
    error = refused.value
    assert error.code == code
    where = f"where: p.yaml:6 (features.steps.0.{step.partition(':')[0]}"
    said = in_one_line(error)
    assert where in said, said
    for part in text.split(" found: "):
        assert part in said, said


@pytest.mark.parametrize(("step", "text", "found"), AT_THE_ROW)
def test_a_step_that_cannot_be_computed_names_the_row(loaded, step, text, found, folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    spec = loaded(step)
    table = pa.table(
        {
            "id": [f"r{n}" for n in range(1, 5)],
            "a": [1, 2, 3, 4],
            "b": [1, 2, 0, 4],
            "big": [1, 2, LARGEST, 4],
            "day": pa.array([0, 1, 2, 3], pa.timestamp("us")),
        }
    )
    source = source_rows(table, spec.source_dataset).partition(None, where="p/raw_dataset")
    with pytest.raises(AssayError) as refused:
        feature_set_of(source, spec, None, where="p/feature_set, partition 2024-01")
    said = in_one_line(refused.value)
    assert refused.value.code == "feature_step_failed"
    assert "where: p/feature_set, partition 2024-01, features" in said
    assert text in said, said
    assert found in said, said


class _Kept:
    """A schema version in memory."""

    schema = None

    def frozen(self):
        return self.schema

    def freeze(self, first):
        self.schema = first
        return first


def test_a_step_that_gives_another_type_in_a_later_partition_is_named(loaded, folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    spec, version = loaded("python: own_steps:typed"), _Kept()

    def made(b, partition):
        table = pa.table(
            {"id": ["r1", "r2"], "a": [1, 2], "b": b, "big": [1, 2], "day": pa.array([0, 1], pa.timestamp("us"))}
        )
        source = source_rows(table, spec.source_dataset).partition(None, where=partition)
        return feature_set_of(source, spec, version, where=f"p/feature_set, partition {partition}")

    made([1, 2], "2024-01")
    with pytest.raises(SchemaDriftError) as refused:
        made([8, 9], "2024-02")
    said = in_one_line(refused.value)
    assert "column 'size' changed its dtype" in said
    assert "where: p/feature_set, partition 2024-02, features: python (step 1) found: string" in said, said
