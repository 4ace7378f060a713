"""Listings turned into arrivals."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.arrivals import arrivals_since, cursor_after, listing_pattern, parse_cursor, partition_key_of
from assay.errors import SourceError, SpecError
from assay.specs.dataset import DatasetSpec, PartitionsSpec


@dataclass(frozen=True)
class Item:
    uri: str
    version: str


WHOLE = DatasetSpec(source="in/*.csv", target="y")
BY_OBJECT = DatasetSpec(source="in/*.csv", target="y", partitions=PartitionsSpec(by="object"))
BY_MONTH = DatasetSpec(
    source="s3://b/taxi_{partition}.parquet", target="y", partitions=PartitionsSpec(by="month", start="2021-01")
)
versions = st.dictionaries(
    st.from_regex(r"in/[a-z0-9]{1,8}\.csv", fullmatch=True), st.sampled_from(["1", "2", "3"]), max_size=12
)


def items(versions):
    return [Item(uri, version) for uri, version in versions.items()]


def test_without_partitions_all_new_objects_make_one_arrival():
    [arrival] = arrivals_since({}, items({"in/a.csv": "1", "in/b.csv": "1"}), WHOLE, at_most=1)
    assert arrival.uris == ("in/a.csv", "in/b.csv")
    assert arrival.partition_key is None


def test_an_object_makes_a_partition_of_its_name():
    [arrival] = arrivals_since({"in/a.csv": "1"}, items({"in/a.csv": "1", "in/b.csv": "7"}), BY_OBJECT, at_most=9)
    assert (arrival.partition_key, arrival.run_key) == ("b.csv", "in/b.csv@7")


def test_a_placeholder_gives_the_month():
    assert partition_key_of("s3://b/taxi_2021-12.parquet", BY_MONTH) == "2021-12"
    assert listing_pattern(BY_MONTH) == "s3://b/taxi_*.parquet"
    with pytest.raises(SourceError, match="does not give its partition"):
        partition_key_of("s3://b/taxi_2021-12.csv", BY_MONTH)


def test_months_of_a_column_cannot_be_told_by_objects():
    spec = BY_MONTH.model_copy(update={"source": "s3://b/all.parquet"})
    with pytest.raises(SpecError, match="cannot be told"):
        listing_pattern(spec)


@given(versions, versions)
def test_every_version_arrives_exactly_once(before, after):
    seen = parse_cursor(cursor_after({}, arrivals_since({}, items(before), BY_OBJECT, at_most=100)))
    keys = {arrival.run_key for arrival in arrivals_since(seen, items(after), BY_OBJECT, at_most=100)}
    assert keys == {f"{uri}@{version}" for uri, version in after.items() if before.get(uri) != version}


@given(versions, st.integers(1, 4))
def test_paged_looks_see_everything_once(listing, page):
    seen, keys = {}, []
    while arrivals := arrivals_since(seen, items(listing), BY_OBJECT, at_most=page):
        assert len(arrivals) <= page
        keys += [arrival.run_key for arrival in arrivals]
        seen = parse_cursor(cursor_after(seen, arrivals))
    assert sorted(keys) == sorted(f"{uri}@{version}" for uri, version in listing.items())
