# ruff: noqa: DTZ001 - times without a zone
"""A SELECT over the rows and other sources, as a pipeline file has it: confined, checked, and never of later rows."""

import datetime as dt

import pyarrow as pa
import pytest

from assay.data.source_rows import source_rows
from assay.errors import AssayError, LaterRowsError
from assay.features.feature_set import feature_set_of
from assay.learning.known_names import name_check
from assay.specs.loading import parse_pipeline

PIPELINE = """\
name: trips
task: regression
dataset: {source: trips.csv, target: minutes}
features:
  time: start
  tables:
    - {table: weather, source: weather.csv}
    - {table: zones, source: zones.csv}
  steps:
    - sql: select r.*, z.size from rows r left join zones z using (zone)
"""
NEWEST = "select r.*, w.rain from rows r asof left join weather w on r.start > w.at"
LATER = "select r.*, w.rain from rows r left join weather w on r.start + interval 1 day = w.at"
DAYS = [dt.datetime(2024, 1, 1 + n, 12) for n in range(20)]


def spec_of(sql=None, text=PIPELINE, schemas=None):
    text = text if sql is None else text[: text.index("    - sql:")] + f"    - sql: {sql}\n"
    return parse_pipeline(text, where="trips.yaml", names=name_check(schemas))


def dataset(table, where):
    return source_rows(table, spec_of().source_dataset).partition(None, where=where)


def made(spec):
    trips = {"start": DAYS, "zone": ["a", "b"] * 10, "minutes": [float(n) for n in range(20)]}
    weather = {"at": [day - dt.timedelta(hours=3) for day in DAYS], "rain": [n * 1.5 for n in range(20)]}
    weather["at"] += [day + dt.timedelta(days=1) for day in DAYS]
    weather["rain"] += [n * 10.0 for n in range(20)]
    joined = {"weather": pa.table(weather), "zones": pa.table({"zone": ["a", "b"], "size": [3, 5]})}
    return feature_set_of(
        dataset(pa.table(trips), "trips"),
        spec,
        None,
        where="trips/feature_set",
        joined={name: dataset(table, name) for name, table in joined.items()},
    )


def test_a_select_reads_the_tables_by_their_names_and_rows_keep_their_order():
    found = made(spec_of())
    assert found.rows.table.column("size").to_pylist() == [3, 5] * 10
    assert found.rows.table.column("start").to_pylist() == DAYS
    assert found.rows.notes["joined zones"].startswith("2 rows")


def test_an_as_of_join_typed_by_hand_saw_no_later_row_of_a_table():
    found = made(spec_of(NEWEST))
    assert found.rows.table.column("rain").to_pylist()[:2] == [0.0, 1.5]
    assert "every row came out the same" in found.known_in_time


def test_a_select_that_reads_a_later_row_of_a_table_is_refused_with_step_column_and_row():
    with pytest.raises(LaterRowsError) as refused:
        made(spec_of(LATER))
    said = str(refused.value)
    assert "features: sql (step 1)" in said
    assert "column 'rain' of row" in said
    made(spec_of(LATER, PIPELINE.replace("weather.csv}", "weather.csv, time: false}")))


def test_a_table_that_repeats_rows_is_refused():
    with pytest.raises(AssayError, match="more than once"):
        made(spec_of("select r.* from rows r, zones z"))


def test_the_tables_are_part_of_the_feature_set_s_digest():
    spec, other = spec_of(), spec_of(text=PIPELINE.replace("zones.csv", "areas.csv"))
    assert spec.features.digest != other.features.digest
    plain = spec_of(
        text=PIPELINE.replace(PIPELINE[PIPELINE.index("  tables:") : PIPELINE.index("  steps:")], "").replace(
            "z.size from rows r left join zones z using (zone)", "1 as size from rows r"
        )
    )
    assert "tables" not in plain.features.model_dump()


@pytest.mark.parametrize(
    ("old", "new", "line", "text"),
    [
        ("join zones z", "join zonez z", 10, "the table zonez"),
        ("join zones z", "join 'zones.csv' z", 10, "the table zones.csv"),
        ("table: zones,", "table: weather,", 4, "two sources have the table 'weather'"),
        ("table: zones,", "table: rows,", 8, "a name of its own, not 'rows'"),
        ("source: zones.csv", "sorce: zones.csv", 8, "did you mean 'source'"),
        ("source: zones.csv", "source: zones.csv, on: [zone]", 8, "unknown key 'on'"),
        ("source: zones.csv", "source: zones.csv, time: true", 8, "time"),
    ],
)
def test_tables_that_cannot_be_are_refused_with_their_line(old, new, line, text):
    with pytest.raises(AssayError) as refused:
        spec_of(text=PIPELINE.replace(old, new))
    assert text in str(refused.value)
    assert f"trips.yaml:{line} " in str(refused.value), refused.value


def test_a_column_of_times_that_a_table_lacks_is_refused():
    with pytest.raises(AssayError, match="column 'att'"):
        made(spec_of(NEWEST, PIPELINE.replace("weather.csv}", "weather.csv, time: att}")))
