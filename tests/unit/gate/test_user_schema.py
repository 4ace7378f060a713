import sys
import types

import pandas as pd
import pandera.pandas as pandera
import pytest

ROWS = {"age": [17, 30, 200, 40], "job": ["nurse", "pilot", None, "spy"], "fee": [1.0, 2.0, 3.0, 4.0]}


class People(pandera.DataFrameModel):
    age: int = pandera.Field(ge=18, le=120)
    job: str = pandera.Field(nullable=True, isin=["nurse", "pilot"])


@pytest.fixture
def schema_result(rule, monkeypatch):
    """Judge columns by a schema that can be imported."""

    def judge(schema, columns=ROWS, **given):
        module = types.ModuleType("people_schemas")
        module.Schema = schema
        monkeypatch.setitem(sys.modules, "people_schemas", module)
        return rule("pandera_schema_holds", columns, pandera_schema="people_schemas:Schema", **given)

    return judge


def columns_schema(**columns):
    return pandera.DataFrameSchema({name: pandera.Column(*given) for name, given in columns.items()})


def test_every_failure_of_a_model_becomes_a_row_with_its_place(schema_result):
    result = schema_result(People)

    reported = {(failure.column, failure.row_numbers, failure.examples) for failure in result.failures}
    assert reported == {("age", (0,), ("17",)), ("age", (2,), ("200",)), ("job", (3,), ("'spy'",))}
    assert result.failing_rows == 3


def test_rows_that_keep_the_schema_pass(schema_result):
    assert schema_result(People, {"age": [18, 120], "job": ["nurse", None]}).passed


def test_texts_are_objects_or_categories_as_the_schema_asks(schema_result):
    assert schema_result(columns_schema(job=(str, None, None, True))).passed
    assert schema_result(columns_schema(job=("category", None, None, True))).passed


@pytest.mark.parametrize(
    ("schema", "reported"),
    [
        (columns_schema(age=(str,)), "expected series 'age' to have type str"),
        (columns_schema(height=(float,)), "column 'height' not in dataframe"),
        (columns_schema(job=(str,)), "series contains nulls"),
        (
            pandera.DataFrameSchema({"fee": pandera.Column(float, pandera.Check(lambda s: s.mean() > 99))}),
            "failed series",
        ),
        (pandera.DataFrameSchema({"age": pandera.Column(int)}, strict=True), "job"),
    ],
)
def test_failures_without_a_row_are_reported_too(schema_result, schema, reported):
    result = schema_result(schema)
    assert not result.passed
    assert reported in result.observed.lower() or any(reported in failure.found.lower() for failure in result.failures)


def test_repeated_values_and_rules_over_rows_have_row_numbers(schema_result):
    unique = pandera.DataFrameSchema({"age": pandera.Column(int, unique=True)})
    assert schema_result(unique, {"age": [1, 2, 1, 3]}).failures[0].row_numbers == (0, 2)
    wide = pandera.DataFrameSchema(checks=pandera.Check(lambda rows: rows["fee"] < rows["age"], name="cheap"))
    [failure] = schema_result(wide, {"age": [5, 1], "fee": [4.0, 3.0]}).failures
    assert (failure.column, failure.row_numbers) == ("", (1,))


def test_a_check_that_raises_does_not_pass(schema_result):
    broken = pandera.DataFrameSchema({"age": pandera.Column(int, pandera.Check(lambda s: s.nonsense))})
    assert not schema_result(broken).passed


def test_what_a_schema_changes_does_not_reach_the_rows(gate, monkeypatch):
    module = types.ModuleType("people_schemas")
    module.Schema = pandera.DataFrameSchema(
        {"x": pandera.Column(float, coerce=True, parsers=pandera.Parser(lambda s: s * 100))}
    )
    monkeypatch.setitem(sys.modules, "people_schemas", module)
    verdict = gate({"x": [1, 2, 3, 4]}, pandera_schema="people_schemas:Schema", ranges={"x": {"max": 5}})
    assert verdict.accepted.table["x"].to_pylist() == [1, 2, 3, 4]


def test_values_are_withheld_beside_pii(schema_result):
    whole = pandera.DataFrameSchema({"job": pandera.Column(float, coerce=True)})
    raising = pandera.DataFrameSchema({"job": pandera.Column(str, pandera.Check(lambda s: s.astype(float) > 0))})
    columns = {"job": ["spy", "spy"]}
    for schema in (People, whole, raising):
        assert "spy" not in schema_result(schema, columns | {"age": [20, 30]}, pii=("job",)).model_dump_json()
    assert "could not convert" in schema_result(raising, columns).observed


def test_the_environment_cannot_switch_it_off(schema_result):
    from pandera.config import config_context

    with config_context(validation_enabled=False):
        assert not schema_result(People).passed


@pytest.mark.parametrize("other", [dict, pd.DataFrame, 7])
def test_what_is_no_schema_does_not_pass(schema_result, other):
    assert "no pandera schema" in schema_result(other).observed


def test_a_path_that_leads_nowhere_does_not_pass(rule):
    result = rule("pandera_schema_holds", {"x": [1, 2]}, pandera_schema="no_such_module:Schema")
    assert "cannot be imported" in result.observed
