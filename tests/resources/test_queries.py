"""What may stand in a query, and how its values come in."""

import pytest
from pydantic import ValidationError

from assay.errors import SourceError
from assay.specs.dataset import DatasetSpec
from resources.settings import Settings, sql_connections
from resources.sources.query import Query, names_in, query_of, trimmed, with_dollars


def spec(**asked):
    return DatasetSpec(source="sql://shop", target="y", **asked)


def test_the_partition_comes_in_as_a_value_and_other_values_as_they_are():
    asked = spec(
        query="select * from t where m >= :start and n = :n and b = :b and x < :x",
        parameters={"start": "{partition}-01", "n": 3, "b": True, "x": 0.5},
    )
    query = query_of(asked, "2024-01'; drop table t; --")
    assert query.parameters == {"start": "2024-01'; drop table t; ---01", "n": 3, "b": True, "x": 0.5}
    assert [type(value) for value in query.parameters.values()] == [str, int, bool, float]
    assert query.text == asked.query
    assert query_of(asked, None).parameters["start"] == "{partition}-01"


def test_a_file_has_no_query_and_parameters_alone_are_refused():
    assert query_of(DatasetSpec(source="rows.csv", target="y"), "2024-01") is None
    for alone in ({"parameters": {"a": 1}}, {"watermark": "select 1"}):
        with pytest.raises(ValidationError, match="belong to a query"):
            spec(**alone)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("select :a, :b, :a", ["a", "b"]),
        ("select a::int, '12:30', x[1:2]", []),
        (r"select '\:a'", []),
        ("select :a::int", []),
        ("select (:a)::int", ["a"]),
    ],
)
def test_names_are_found_as_sqlalchemy_finds_them(text, names):
    from sqlalchemy import text as statement

    assert names_in(text) == names
    assert set(statement(text).compile().params) == set(names)


def test_duckdb_gets_dollars():
    assert (
        with_dollars(r"select :a, a::int, '\:b' from t where x = :a_1")
        == "select $a, a::int, ':b' from t where x = $a_1"
    )


def test_names_and_values_must_match():
    with pytest.raises(SourceError, match="did you mean 'start'") as caught:
        Query("select * from t where d > :strat", {"start": 1})
    assert caught.value.where.startswith("dataset.parameters")
    with pytest.raises(SourceError, match="does not use a parameter"):
        Query("select * from t", {"start": 1})
    assert Query("select 1", {"start": 1}, "select max(d) from t where d > :start").values_of("select 1") == {}


@pytest.mark.parametrize("text", ["select 1; select 2", "select 1;;", "select ';'", "", " ; "])
def test_a_query_is_one_statement(text):
    with pytest.raises(SourceError, match="one statement"):
        Query(text, {})
    with pytest.raises(SourceError, match="one statement"):
        Query("select 1", {}, text)


def test_a_semicolon_at_the_end_is_taken_away():
    assert trimmed(" select 1 ;\n") == "select 1"


def test_messages_lose_their_values():
    query = Query("select :a, :b, :c", {"a": "hunter2", "b": 7, "c": ""})
    assert query.without_values("not an int: xhunter2y, 7 of 77") == "not an int: x:ay, :b of 77"


def test_connections_come_from_the_environment_by_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("ASSAY_SQL_LAKE=sqlite:///lake.db\nASSAY_SQL_EMPTY=\n")
    monkeypatch.setenv("ASSAY_SQL_WARE_HOUSE", "postgresql://h/db")
    monkeypatch.setenv("ASSAY_QUERY_SECONDS", "5")
    found = sql_connections()
    assert {name: found.get(name) for name in ("ware_house", "lake", "empty")} == {
        "ware_house": "postgresql://h/db",
        "lake": "sqlite:///lake.db",
        "empty": None,
    }
    assert Settings().query_seconds == 5


def test_hosts_come_with_commas_between(monkeypatch):
    monkeypatch.setenv("ASSAY_HTTPS_ALLOWED_HOSTS", " *.Example.org, data.example.com ,")
    assert Settings().web_hosts == ("*.example.org", "data.example.com")
    monkeypatch.setenv("ASSAY_HTTPS_ALLOWED_HOSTS", "")
    assert Settings().web_hosts == ()
