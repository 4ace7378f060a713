"""Objects' names and the partitions that they make."""

import pytest

from assay.arrivals.names import listing_pattern, partition_key_of
from assay.errors import SourceError, SpecError
from assay.specs.dataset import DatasetSpec, PartitionsSpec

BY_OBJECT = DatasetSpec(source="in/*.csv", target="y", partitions=PartitionsSpec(by="object"))
MONTHS = PartitionsSpec(by="month", start="2021-01")


def by_month(source):
    return DatasetSpec(source=source, target="y", partitions=MONTHS)


def test_an_object_makes_a_partition_of_its_name():
    assert partition_key_of("s3://b/in/b.csv", BY_OBJECT) == "b.csv"


@pytest.mark.parametrize(
    ("source", "uri"),
    [
        ("s3://b/taxi_{partition}.parquet", "s3://b/taxi_2021-12.parquet"),
        ("${WHERE}/{partition}/rows.csv", "s3://b/2021-12/rows.csv"),
        ("in/{partition}/part-*.csv", "in/2021-12/part-0.csv"),
        ("{partition}.csv", "2021-12.csv"),
    ],
)
def test_a_placeholder_gives_the_month(source, uri):
    assert partition_key_of(uri, by_month(source)) == "2021-12"


def test_a_name_of_another_kind_gives_no_month():
    with pytest.raises(SourceError, match="does not give its partition"):
        partition_key_of("s3://b/taxi_2021-12.csv", by_month("s3://b/taxi_{partition}.parquet"))


def test_all_months_are_listed():
    assert listing_pattern(by_month("s3://b/taxi_{partition}.parquet")) == "s3://b/taxi_*.parquet"


def test_months_of_a_column_cannot_be_detected_from_objects():
    with pytest.raises(SpecError, match="do not show which partition is new"):
        listing_pattern(by_month("s3://b/all.parquet"))


def test_new_rows_of_a_query_need_a_watermark():
    with pytest.raises(SpecError, match="without a watermark"):
        listing_pattern(DatasetSpec(source="sql://shop", query="select * from t", target="y"))
    reported = DatasetSpec(source="sql://shop", query="select * from t", watermark="select max(a) from t", target="y")
    assert listing_pattern(reported) == "sql://shop"
