"""Listings by page: together the pages are the whole listing, and each costs its own part only."""

import os
import sqlite3
import string

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.sources.interface import Access
from resources.sources.local import LocalSource
from resources.sources.opening import open_source
from resources.sources.query import Query

NAMES = ("a.csv", "b.csv", "b/c.csv", "b-d.csv", "b.d/e.csv", "b/noise.txt", "z/y/x.csv", ".hidden.csv", "_SUCCESS")


@pytest.fixture(params=["local", "s3"])
def place(request, tmp_path):
    """Return a function that gives the source of an address below a place with some files."""
    if request.param == "local":
        for name in NAMES:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(name)
        return lambda address: LocalSource(f"{tmp_path}/{address}")
    client = request.getfixturevalue("aws")
    for name in NAMES:
        client.put_object(Bucket="bucket", Key=f"in/{name}", Body=name.encode())
    return lambda address: open_source(f"s3://bucket/in/{address}", Access(lambda: client))


def pages(source, limit):
    after, found = None, []
    while True:
        page = source.page(after, limit)
        assert all(after is None or item.uri > after for item in page.objects)
        assert all(page.last is None or item.uri <= page.last for item in page.objects)
        found += page.objects
        if page.last is None:
            return found
        assert after is None or page.last > after
        after = page.last


@pytest.mark.parametrize("address", ["", "*.csv", "**/*.csv", "b*", "*/*.csv", "b/c.csv", "nothing*"])
@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_the_pages_of_a_listing_are_the_listing(place, address, limit):
    assert pages(place(address), limit) == place(address).objects()


def test_a_page_continues_after_a_deleted_name(place):
    a, second, *_ = [item.uri for item in place("[ab]*.csv").objects()]
    assert [item.uri for item in place("[ab]*.csv").page(a.replace("a.csv", "aa.csv"), 1).objects] == [second]


def test_a_query_is_one_object(tmp_path):
    sqlite3.connect(tmp_path / "rows.db").close()
    source = open_source(f"sqlite:///{tmp_path}/rows.db", Access(None), Query("select 1 as a", {}, "select 7"))
    (item,) = pages(source, 1)
    assert item.version.startswith("sha256-")
    assert source.page(item.uri, 1).objects == []


words = st.text(string.ascii_lowercase + "-.~ä", min_size=1, max_size=3).filter(lambda name: name.strip("."))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(words, min_size=1, max_size=3), max_size=8), st.integers(1, 4))
def test_local_pages_follow_the_order_of_names(tmp_path_factory, paths, limit):
    root = tmp_path_factory.mktemp("in")
    for parts in paths:
        path = root.joinpath(*parts)
        if not any(parent.is_file() for parent in path.parents) and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("1")
    for address in (f"{root}/", f"{root}/**/*", f"{root}/*"):
        whole = LocalSource(address).objects()
        assert [item.uri for item in whole] == sorted(item.uri for item in whole)
        assert pages(LocalSource(address), limit) == whole


def test_a_local_page_reads_the_state_of_its_own_files_only(tmp_path, monkeypatch):
    for number in range(300):
        (tmp_path / f"{number:03d}.csv").touch()
    asked, state_of = [], os.stat
    monkeypatch.setattr(os, "stat", lambda path, **how: asked.append(str(path)) or state_of(path, **how))
    source = LocalSource(f"{tmp_path}/*.csv")
    assert len(source.page(f"{tmp_path}/100.csv", 10).objects) == 10
    assert len([path for path in asked if path.endswith(".csv") and "*" not in path]) == 10


def test_a_file_that_is_deleted_between_names_and_states_is_left_out(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.csv").touch()
    source = LocalSource(f"{tmp_path}/*.csv")
    source.page(None, 1)
    (tmp_path / "b.csv").unlink()
    assert source.page(f"{tmp_path}/a.csv", 1).objects == []


def test_a_page_of_a_bucket_is_one_request(aws):
    for number in range(60):
        aws.put_object(Bucket="bucket", Key=f"in/{number:03d}.csv", Body=b"")
    asked = []
    client = boto3.Session(aws_access_key_id="id", aws_secret_access_key="secret").client("s3", region_name="us-east-1")
    client.meta.events.register("before-call.s3", lambda model, **_: asked.append(model.name))
    page = open_source("s3://bucket/in/*.csv", Access(lambda: client)).page("s3://bucket/in/029.csv", 20)
    assert [item.uri[-7:-4] for item in page.objects] == [f"{number:03d}" for number in range(30, 50)]
    assert asked == ["ListObjectsV2"]


def test_large_files_have_no_digest_since_it_would_not_be_cheap(tmp_path, monkeypatch):
    monkeypatch.setattr("resources.sources.local._MOST_DIGESTED", 3)
    contents = {}
    for name, text in {"a.csv": "abc", "b.csv": "abcd"}.items():
        (tmp_path / name).write_text(text)
        source = LocalSource(str(tmp_path / name))
        contents[name] = source.content_of(source.objects()[0])
    assert contents["a.csv"].startswith("sha256-")
    assert contents["b.csv"] == ""
