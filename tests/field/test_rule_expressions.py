"""Reported: rule expressions read the clock, and took gigabytes and half a minute that DuckDB's limits did not bound."""

import datetime as dt

import pyarrow as pa
import pytest

from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import ColumnSchema, TableSchema, dtype_name
from assay.expressions.language import ROW_FUNCTIONS, locked_connection
from assay.gate.gate import run_gate
from assay.gate.report import RuleResult
from assay.specs import PipelineSpec
from assay.specs.dataset import ColumnRole

MOMENTS = {"moment": [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 2)], "s": ["a", "b"]}  # noqa: DTZ001 - a column has none


def checked(expressions: dict[str, str]) -> RuleResult:
    """What the gate says of the rule `expressions_hold`."""
    table = pa.table(MOMENTS)
    columns = tuple(
        ColumnSchema(name=field.name, dtype=dtype_name(field.type), role=ColumnRole.IGNORED) for field in table.schema
    )
    document = {
        "name": "loans",
        "task": "binary_classification",
        "dataset": {"source": "loans.csv", "target": "s"},
        "validation": {"expressions": expressions},
    }
    dataset = Dataset(table, TableSchema(version=1, columns=columns), fingerprint(table))
    verdict = run_gate(dataset, PipelineSpec.model_validate(document, strict=False), where="loans")
    return next(rule for rule in verdict.report.rules if rule.name == "expressions_hold")


@pytest.mark.parametrize(
    "sql",
    [
        "moment < current_localtimestamp()",
        "moment < current_timestamp",
        "moment::date < current_date",
        "moment < get_current_timestamp()",
        "moment::date < today()",
        "age(moment) > interval 1 day",
        "AGE(moment) > interval 1 day",
        "version() <> ''",
        "current_localtime() is not null",
        "txid_current() > 0",
        "uuid() is not null",
        "gen_random_uuid() is not null",
        "current_database() = 'memory'",
        "current_user = 'duckdb'",
        "pg_conf_load_time() > moment",
        "sleep_ms(1) is null",
    ],
)
def test_an_expression_reads_neither_clock_nor_chance_nor_environment(sql):
    result = checked({"mine": sql})

    assert not result.passed
    assert "not checked" in result.observed


def test_age_between_two_moments_is_a_function_of_the_row():
    assert checked({"mine": "age(moment, timestamp '2023-01-01') > interval 1 day"}).passed


def test_every_allowed_function_is_consistent_for_duckdb_too():
    with locked_connection() as connection:
        known = connection.execute("select lower(function_name), stability from duckdb_functions()").fetchall()
    assert not {name for name, stability in known if name in ROW_FUNCTIONS and stability not in {None, "CONSISTENT"}}


@pytest.mark.confined
@pytest.mark.parametrize(
    "sql", ["len(repeat('a', 2000000000)) > 0", pytest.param("len(range(1000000000)) > 0", marks=pytest.mark.full)]
)
def test_an_expression_that_takes_gigabytes_is_stopped_and_leaves_the_others_checked(sql):
    result = checked({"large": sql, "good": "s <> 'b'"})
    [large, good] = result.failures
    assert "more memory than it may" in large.found or "more processor time than it may" in large.found
    assert good.row_numbers == (1,)
