"""Moments and numbers as files write them."""

import datetime as dt

import pyarrow as pa
import pytest

from assay.data.written_values import with_values_read
from assay.errors import DataContractError
from assay.specs.dataset import ColumnRole, ColumnSpec, CsvDialect, DatasetSpec


def read(values, declared=None, frozen=None, target="y", **dialect):
    columns = {"a": ColumnSpec(role=declared)} if declared else {}
    spec = DatasetSpec(source="rows.csv", target=target, columns=columns, dialect=CsvDialect(**dialect))
    return with_values_read(pa.table({"a": values}), spec, frozen or {})["a"]


def test_dates_of_the_dialects_format_become_dates():
    assert read(["31.12.2020", None, "1.1.2021"], date_format="%d.%m.%Y").to_pylist() == [
        dt.date(2020, 12, 31),
        None,
        dt.date(2021, 1, 1),
    ]


def test_times_of_the_dialects_format_become_times():
    moments = read(["31.12.2020 18:30"], date_format="%d.%m.%Y %H:%M")
    assert moments.type == pa.timestamp("us")
    assert [str(moment) for moment in moments.to_pylist()] == ["2020-12-31 18:30:00"]


def test_times_with_a_zone_become_moments_in_utc():
    moments = read(["31.12.2020 18:30 +0200"], date_format="%d.%m.%Y %H:%M %z")
    assert moments.type == pa.timestamp("us", "UTC")
    assert moments.to_pylist()[0].hour == 16


@pytest.mark.parametrize("texts", [["30.02.2021", "1.1.2021"], ["1.1.2021", "soon"]])
def test_a_day_that_does_not_exist_leaves_the_column_text(texts):
    assert read(texts, date_format="%d.%m.%Y").to_pylist() == texts
    with pytest.raises(DataContractError, match=r"%d\.%m\.%Y"):
        read(texts, declared=ColumnRole.DATETIME, date_format="%d.%m.%Y")


def test_groups_of_digits_become_numbers():
    assert read(["1.234.567", "12"], thousands=".", decimal=",").to_pylist() == [1234567, 12]
    assert read(["1.234,5", "-0,25", "1"], thousands=".", decimal=",").to_pylist() == [1234.5, -0.25, 1.0]
    assert read(["1 234", None], thousands=" ").to_pylist() == [1234, None]


@pytest.mark.parametrize("text", ["12.34", "1.2345", "00.123", "1.234.56", "99.999.999.999.999.999.999", "a"])
def test_what_is_no_group_of_three_leaves_the_column_text(text):
    assert read(["1.234", text], thousands=".", decimal=",").to_pylist() == ["1.234", text]


def test_what_is_frozen_as_text_stays_text():
    assert read(["2020-01-31"], frozen={"a": "string"}).to_pylist() == ["2020-01-31"]
    assert read(["2020-01-31"], frozen={"a": "timestamp[us]"}).type == pa.timestamp("us")


def test_the_target_is_no_moment():
    assert read(["2020-01-31"], target="a").to_pylist() == ["2020-01-31"]
