"""Times with and without a zone mean the same moment on the clock of the pipeline's zone."""

import datetime as dt

import pyarrow as pa
import pytest

from assay.data.schema import ColumnSchema
from assay.errors import DataContractError
from assay.prediction.rows import in_source_types
from assay.specs.dataset import ColumnRole

NOON = dt.datetime(2024, 7, 1, 12, 0)  # noqa: DTZ001 - without a zone on purpose
UTC = dt.datetime(2024, 7, 1, 16, 0, tzinfo=dt.UTC)


def read(values, dtype, zone="America/New_York"):
    column = ColumnSchema(name="seen", dtype=dtype, role=ColumnRole.DATETIME)
    table = pa.table({"seen": values})
    return in_source_types(table, [column], ["seen"], zone, where="rows").column("seen").to_pylist()


def test_a_time_with_a_zone_is_what_the_clock_shows():
    assert read(pa.array([UTC], pa.timestamp("us", "UTC")), "timestamp[us]") == [NOON]


def test_a_time_without_a_zone_is_of_the_pipelines_zone():
    (found,) = read(pa.array([NOON], pa.timestamp("us")), "timestamp[us, tz=UTC]")
    assert found == UTC


@pytest.mark.parametrize("text", ["2024-07-01T12:00:00", "2024-07-01T16:00:00Z", "2024-07-01T18:00:00+02:00"])
def test_texts_of_times_follow_the_same_rule(text):
    assert read(pa.array([text]), "timestamp[us]") == [NOON]


def test_a_date_has_no_time_of_day():
    assert read(pa.array([NOON.replace(hour=0)]), "date32[day]") == [dt.date(2024, 7, 1)]
    with pytest.raises(DataContractError, match="row 1"):
        read(pa.array([NOON], pa.timestamp("us")), "date32[day]")
