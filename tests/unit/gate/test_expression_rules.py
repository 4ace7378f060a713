import numpy as np
import pyarrow as pa
import pytest


def test_rows_for_which_an_expression_is_false_fail_and_null_is_refused(rule):
    columns = {"dep": [1, 5, None, 3], "arr": [2, 4, 1, 3]}

    result = rule("expressions_hold", columns, expressions={"arrives_after_departing": "arr >= dep"})

    [failure] = result.failures
    assert failure.row_numbers == (1,)
    assert failure.column == "arr, dep"
    assert failure.examples == ("arr=4, dep=5",)
    assert "arrives_after_departing" in result.observed


def test_nan_is_missing_in_an_expression_too(rule):
    assert rule("expressions_hold", {"x": [1.0, float("nan")]}, expressions={"small": "x < 2"}).passed


def test_rows_keep_their_numbers_however_many_there_are(rule):
    result = rule("expressions_hold", {"x": np.arange(300_000)}, expressions={"odd": "x <> 299999 and x <> 7"})

    assert result.failures[0].row_numbers == (7, 299_999)


@pytest.mark.parametrize("sql", ["a > 1", "s = 'q'", '"a b" > 0', "a between 1 and 3 -- all", "true", "n > 1"])
def test_columns_of_every_kind_can_be_named(rule, sql):
    columns = {"a": [2, 3], "s": pa.array(["q", "q"]).dictionary_encode(), "a b": [1, 2], "n": pa.nulls(2)}

    assert rule("expressions_hold", columns, expressions={"e": sql}).passed


@pytest.mark.parametrize(
    "sql",
    [
        "1) ; drop table checked_rows; select (1",
        "a > 0; select 1",
        "a > (",
        "a) from checked_rows where (a > 0",
        "a > 0) union select (true",
        "(select count(*) from checked_rows) > 0",
        "exists(from read_csv('/etc/hostname'))",
        "exists(select * from '/etc/hostname')",
        "read_text('/etc/hostname') is not null",
        "a in (select a from checked_rows)",
        "a = any([1, 2])",
        "row_number() over () > 0",
        "sum(a) > 0",
        "random() >= 0",
        "now() > '2000-01-01'",
        "current_setting('memory_limit') <> ''",
        "getenv('HOME') <> ''",
        "list_filter([a], x -> true) is not null",
        "columns(*) > 0",
        "checked_rows.a > 0",
        "? > 0",
        "a",
        "1",
        "",
        "a > 0, true",
    ],
)
def test_what_is_no_expression_over_a_row_is_refused(rule, sql):
    result = rule("expressions_hold", {"a": [1, 2]}, expressions={"mine": sql})

    assert not result.passed
    assert "not checked" in result.observed
    assert result.failures[0].expected.startswith("mine: ")


def test_files_are_out_of_reach_of_the_engine_itself(tmp_path):
    import duckdb

    from assay.expressions.language import locked_connection

    file = tmp_path / "secret.csv"
    file.write_text("a\n1\n")
    with locked_connection() as connection:
        with pytest.raises(duckdb.PermissionException):
            connection.sql(f"select * from read_csv('{file}')").fetchall()
        with pytest.raises(duckdb.InvalidInputException, match="locked"):
            connection.execute("set enable_external_access = true")


def test_a_column_that_does_not_exist_is_named(rule):
    result = rule("expressions_hold", {"arr_time": [1, 2]}, expressions={"e": "arr_tme > 0"})

    assert "column missing; did you mean 'arr_time'?" in result.observed


def test_columns_that_differ_by_case_alone_are_not_confused(rule):
    result = rule("expressions_hold", {"a": [1, 2], "A": [3, 4]}, expressions={"e": 'a < "A"'})

    assert "upper and lower case" in result.observed
    assert rule("expressions_hold", {"a": [1, 2], "A": [3, 4]}, expressions={"e": '"A" > 2'}).passed


def test_one_broken_expression_leaves_the_others_checked(rule):
    result = rule("expressions_hold", {"s": ["x", "y"]}, expressions={"bad": "s::int > 0", "good": "s <> 'y'"})

    assert "ConversionException" in result.failures[0].found
    assert result.failures[1].row_numbers == (1,)


def test_the_engines_words_about_a_value_are_withheld_beside_pii(rule):
    result = rule("expressions_hold", {"s": ["swordfish", "y"]}, expressions={"bad": "s::int > 0"}, pii=("s",))

    assert "swordfish" not in result.model_dump_json()


def test_what_follows_from_a_condition_must_hold_and_null_does_not(rule):
    columns = {"country": ["US", "US", "US", "FR", None], "state": ["NY", None, "??", None, None]}

    result = rule(
        "conditions_hold",
        columns,
        conditional=[{"when": "country = 'US'", "then": "state is not null and state <> '??'"}],
    )
    null = rule("conditions_hold", columns, conditional=[{"when": "country = 'US'", "then": "state <> '??'"}])

    assert result.failures[0].row_numbers == (1, 2)
    assert null.failures[0].row_numbers == (1, 2)
    assert rule("conditions_hold", columns, conditional=[{"when": "country = 'FR'", "then": "state is null"}]).passed


def test_a_condition_that_cannot_be_checked_does_not_pass(rule):
    for condition in ({"when": "nope = 1", "then": "a > 0"}, {"when": "a > 0", "then": "sum(a) > 0"}):
        assert not rule("conditions_hold", {"a": [1, 2]}, conditional=[condition]).passed
