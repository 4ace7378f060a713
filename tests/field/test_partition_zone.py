"""Reported: the preview of a monthly partition showed rows of the day before, and nothing said the zone."""

import datetime as dt

import dagster as dg
import pyarrow as pa
import pytest
from pydantic import ValidationError

from assay.data.source_rows import rows_of_partition, source_rows
from assay.specs import PipelineSpec
from assay.specs.dataset import PartitionsSpec
from ml_assets.assets.metadata import dataset_metadata
from ml_assets.pipeline.partitions import partitions_of

NEW_YORK = "America/New_York"
# in New York the first two are of January, in UTC the first one alone; pyarrow ignores other zones than UTC here
MOMENTS = [
    dt.datetime(2024, 1, 31, 17, tzinfo=dt.UTC),
    dt.datetime(2024, 2, 1, 3, tzinfo=dt.UTC),
    dt.datetime(2024, 2, 1, 17, tzinfo=dt.UTC),
]


def spec_of(zone: str | None) -> PipelineSpec:
    partitions = {"by": "month", "column": "t", "start": "2024-01"} | ({"timezone": zone} if zone else {})
    document = {
        "name": "trips",
        "task": "regression",
        "dataset": {"source": "t.csv", "target": "y", "partitions": partitions},
    }
    return PipelineSpec.model_validate(document, strict=False)


@pytest.mark.parametrize(("zone", "january"), [(None, 1), ("UTC", 1), (NEW_YORK, 2)])
@pytest.mark.parametrize("stored", [NEW_YORK, "UTC"])
def test_times_with_a_zone_count_in_the_zone_of_the_partitions(zone, january, stored):
    table = pa.table({"t": pa.array(MOMENTS, pa.timestamp("us", "UTC")).cast(pa.timestamp("us", stored))})

    rows = rows_of_partition(table, spec_of(zone).dataset.partitions, "2024-01", where="trips")
    assert rows.num_rows == january


def test_times_without_a_zone_are_times_of_the_zone():
    table = pa.table({"t": [dt.datetime(2024, 1, 31, 23, 30), dt.datetime(2024, 2, 1, 0, 30)]})  # noqa: DTZ001
    for zone in ("UTC", NEW_YORK):
        assert rows_of_partition(table, spec_of(zone).dataset.partitions, "2024-01", where="trips").num_rows == 1


@pytest.mark.parametrize(("zone", "days"), [(None, {"2024-02-01"}), (NEW_YORK, {"2024-02-01"})])
def test_the_preview_shows_the_partition_s_days_and_names_its_zone(zone, days):
    spec = spec_of(zone)
    table = pa.table(
        {"t": pa.array(MOMENTS, pa.timestamp("us", "UTC")).cast(pa.timestamp("us", NEW_YORK)), "y": [1.0, 2.0, 3.0]}
    )
    dataset = source_rows(table, spec.dataset).partition("2024-02", where="trips")
    metadata = dataset_metadata(dataset, ["t.csv"], spec.dataset.partitions.timezone)

    assert {str(record.data["t"])[:10] for record in metadata["preview"].records} == days
    assert metadata["time zone"] == spec.dataset.partitions.timezone


def test_dagster_s_windows_have_the_zone():
    partitions = partitions_of(spec_of(NEW_YORK))
    assert isinstance(partitions, dg.TimeWindowPartitionsDefinition)
    window = partitions.time_window_for_partition_key("2024-01")
    assert window.end.astimezone(dt.UTC) == dt.datetime(2024, 2, 1, 5, tzinfo=dt.UTC)


def test_an_unknown_zone_is_refused_and_the_default_leaves_no_trace():
    with pytest.raises(ValidationError, match="IANA"):
        PartitionsSpec(by="month", start="2024-01", timezone="Mars/Olympus")
    assert "timezone" not in spec_of(None).model_dump_json()
    assert NEW_YORK in spec_of(NEW_YORK).model_dump_json()
