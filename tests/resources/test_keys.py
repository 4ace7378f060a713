import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assay.errors import StorageError
from resources.store.commit_record import (
    attempt_prefix,
    commit_key,
    commits_prefix,
    is_data,
    object_key,
    records_prefix_of,
    series_prefix,
)
from resources.store.interface import decoded, encoded
from resources.store.numbered_records import number_of

NAMES = st.text(max_size=20) | st.sampled_from(
    ["", "%", "%%", "a", "A", "%61", "..", ".", "a/b", "@whole", "data", "é"]
)
ASSETS = st.lists(NAMES, min_size=1, max_size=3).map(tuple)
PARTITIONS = st.none() | NAMES


@given(NAMES)
@example("\ud800")
@example("İ")
def test_a_component_is_decoded_to_its_name(name):
    assert decoded(encoded(name)) == name


@given(NAMES, NAMES)
def test_two_names_never_share_a_component(one, other):
    assert (encoded(one) == encoded(other)) == (one == other)


@given(NAMES)
def test_a_component_holds_nothing_that_a_file_system_or_a_marker_reads(name):
    assert re.fullmatch(r"[a-z0-9_=%-]+", encoded(name))


@given(NAMES)
def test_foreign_text_is_refused_or_is_a_component_itself(text):
    try:
        name = decoded(text)
    except StorageError:
        return
    assert encoded(name) == text


@pytest.mark.parametrize(
    "text", ["", "A", "a.b", "a/b", "%41%", "%4", "%zz", "%61", "%C3%A9", "%c3", "@whole", "é", "€", "%%"]
)
def test_text_that_no_name_gives_is_refused(text):
    with pytest.raises(StorageError, match="cannot be read"):
        decoded(text)


@given(ASSETS, PARTITIONS, ASSETS, PARTITIONS)
def test_no_series_lies_within_another(asset, partition, other_asset, other_partition):
    one, other = series_prefix(asset, partition), series_prefix(other_asset, other_partition)
    assert one.startswith(other) == ((asset, partition) == (other_asset, other_partition))


@given(ASSETS, PARTITIONS, st.integers(1, 99_999_999))
def test_records_differ_from_objects_whatever_the_asset_is_called(asset, partition, number):
    record = commit_key(asset, partition, number)
    data = object_key(asset, partition, "attempt", "f" * 64, "data.parquet")
    assert number_of(record) == number
    assert (is_data(record), is_data(data)) == (False, True)
    assert records_prefix_of(data) == commits_prefix(asset, partition)
    assert data.startswith(attempt_prefix(asset, partition, "attempt"))


@pytest.mark.parametrize("key", ["data/@schemas/1.json", "x/data/y", "a/@whole/data", "a/@partition/data/commits/1"])
def test_what_is_no_data_object_is_not_taken_for_one(key):
    assert not is_data(key)


@given(st.integers(1, 99_999_998))
def test_records_sort_as_their_numbers(number):
    assert commit_key(("a",), None, number) < commit_key(("a",), None, number + 1)


@pytest.mark.parametrize("key", ["a/commits/1.json", "a/commits/00000001.json.bak", "a/commits/0000000a.json", "a/"])
def test_other_keys_have_no_number(key):
    assert number_of(key) is None
