"""Promises of every source for each scheme, then those of single schemes."""

import csv
import dataclasses
import datetime as dt
import hashlib
import http.server
import os
import sqlite3
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import boto3
import duckdb
import pytest
from botocore.config import Config

from assay.errors import AssayError, MissingCredentialsError, SourceError, SourceNotFoundError, SourceUnreachableError
from assay.reading.batches import ReadOptions
from assay.reading.files import read_table
from resources.sources import opening
from resources.sources.cache import SourceCache
from resources.sources.demo import DemoSource
from resources.sources.interface import Access, FetchedFile, Source, SourceKind, SourceObject, from_the_cache
from resources.sources.local import LocalSource
from resources.sources.opening import expand_source, open_source
from resources.sources.query import Query
from resources.sources.s3 import S3Source
from resources.sources.web import WebSource

SECRET = "hunter2"


class Files(http.server.BaseHTTPRequestHandler):
    """Serves the server's `files`; a path of `answers` gives a status, headers and body."""

    def do_GET(self):
        path = self.path.split("?")[0]
        content = self.server.files.get(path)
        known = (200, {}, content) if content is not None else (404, {}, b"")
        status, headers, body = self.server.answers.get(path, known)
        tag = {"ETag": f'"{hashlib.sha256(body).hexdigest()}"'} if self.server.tagged else {}
        if status == 200 and self.headers["If-None-Match"] == (tag | headers).get("ETag", ""):
            status, headers, body = 304, {}, b""
        self.server.requests.append((self.command, path, status))
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | tag | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def log_message(self, *args):
        """Stay quiet."""


@pytest.fixture
def web():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    server.files, server.answers, server.tagged, server.requests = {}, {}, True, []
    server.root = f"http://127.0.0.1:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    yield server
    server.shutdown()
    serving.join()
    server.server_close()


@dataclasses.dataclass(frozen=True)
class Place:
    """Somewhere to put rows, and the source of what was put there."""

    root: str
    put: Callable[[str, bytes], object]
    client: object = None

    def source(self, path, **access) -> Source:
        return open_source(self.uri(path), Access(lambda: self.client, **access))

    def absent(self) -> Source:
        return self.source("absent.csv")

    def uri(self, path):
        return f"{self.root}/{path}"

    def size(self, content):
        return len(content)


@dataclasses.dataclass(frozen=True)
class Database(Place):
    """A database with a table for each file."""

    connections: dict = dataclasses.field(default_factory=dict)
    absent_root: str = ""

    def source(self, path):
        return self.asked(self.root, path)

    def absent(self):
        return self.asked(self.absent_root, "absent.csv")

    def asked(self, root, path):
        name = path.removesuffix(".csv")
        query = Query(f"select * from {name} where a > :least", {"least": 0}, f"select sum(a) from {name}")
        return open_source(root, Access(None, connections=self.connections), query)

    def uri(self, path):
        return self.root

    def size(self, content):
        return None


def statements(path, content):
    """Return SQL that puts whole numbers of a CSV file into a table."""
    name, (header, *rows) = path.removesuffix(".csv"), csv.reader(content.decode().splitlines())
    yield f"drop table if exists {name}"
    yield f"create table {name} ({', '.join(f'{column} bigint' for column in header)})"
    yield from (f"insert into {name} values ({', '.join(row)})" for row in rows)


def postgres_source(request):
    server, name = request.getfixturevalue("postgres"), f"t{uuid.uuid4().hex}"
    connections = {"shop": server.url, "gone": server.url.replace("/postgres", "/nowhere")}

    class Own(Database):
        def asked(self, root, path):
            return super().asked(root, name + path)

    def put(path, content):
        server.execute(*statements(name + path, content))

    return Own("sql://shop", put, None, connections, "sql://gone")


def sqlite_source(request):
    folder = request.getfixturevalue("tmp_path")

    def put(path, content):
        with sqlite3.connect(folder / "rows.db") as connection:
            connection.executescript(";".join(statements(path, content)))
        connection.close()

    return Database(f"sqlite:///{folder}/rows.db", put, None, {}, f"sqlite:///{folder}/absent.db")


def duckdb_source(request):
    folder = request.getfixturevalue("tmp_path")

    def put(path, content):
        with duckdb.connect(str(folder / "rows.duckdb")) as connection:
            for statement in statements(path, content):
                connection.execute(statement)

    return Database(f"duckdb:///{folder}/rows.duckdb", put, None, {}, f"duckdb:///{folder}/absent.duckdb")


def web_source(request):
    server = request.getfixturevalue("web")
    return Place(server.root, lambda path, content: server.files.__setitem__(f"/{path}", content))


def s3_source(request):
    client = request.getfixturevalue("aws")
    return Place(
        "s3://bucket/in", lambda path, data: client.put_object(Bucket="bucket", Key=f"in/{path}", Body=data), client
    )


def local_source(request):
    folder = request.getfixturevalue("tmp_path") / "in"

    def put(path, content):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)

    return Place(str(folder), put)


PLACES = {
    "local": local_source,
    "s3": s3_source,
    "web": web_source,
    "sqlite": sqlite_source,
    "postgres": postgres_source,
    "duckdb": duckdb_source,
}


@pytest.fixture(params=PLACES)
def place(request):
    return PLACES[request.param](request)


@pytest.fixture(params=["local", "s3"])
def listed(request):
    """Places that can be listed."""
    return PLACES[request.param](request)


@pytest.fixture
def folder(tmp_path):
    below = tmp_path / "fetched"
    below.mkdir()
    return below


def read(fetched):
    options = ReadOptions() if fetched.data_format is None else ReadOptions(fetched.data_format)
    return read_table(fetched.path, options, name=fetched.uri).to_pylist()


def test_one_object_is_listed_with_its_size_and_fetched_whole(place, folder):
    content = b"a,b\n1,2\n3,4\n"
    place.put("rows.csv", content)
    source = place.source("rows.csv")
    (item,) = source.objects()
    fetched = source.fetch(item, folder)
    assert (item.uri, item.size) == (place.uri("rows.csv"), place.size(content))
    assert read(fetched) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert (fetched.uri, fetched.version) == (item.uri, item.version)


def test_a_version_stays_while_the_content_stays_and_changes_with_it(place):
    place.put("rows.csv", b"a\n1\n")
    source = place.source("rows.csv")
    first = source.objects()[0].version
    assert source.objects()[0].version == first
    place.put("rows.csv", b"a\n2\n")
    assert source.objects()[0].version != first


def test_a_missing_object_is_not_found_at_its_address(place):
    with pytest.raises(SourceNotFoundError) as caught:
        place.absent().objects()
    assert caught.value.where in {place.uri("absent.csv"), getattr(place, "absent_root", "")}


def test_a_glob_lists_by_name(listed, folder):
    for name in ("c.csv", "a.csv", "b.csv", "a.txt", "deep/d.csv"):
        listed.put(name, name.encode())
    source = listed.source("*.csv")
    items = source.objects()
    assert [item.uri for item in items] == [f"{listed.root}/{name}.csv" for name in "abc"]
    assert [source.fetch(item, folder).path.read_bytes() for item in items] == [b"a.csv", b"b.csv", b"c.csv"]


def test_wildcards_are_the_same_for_every_source(listed):
    for name in ("d.csv", "deep/d.csv", "deep/er/d.csv", "deep/er/e.txt"):
        listed.put(name, b"")
    meanings = {
        "**/*.csv": ["d.csv", "deep/d.csv", "deep/er/d.csv"],
        "*/d.csv": ["deep/d.csv"],
        "deep/**/d.csv": ["deep/d.csv", "deep/er/d.csv"],
        "[a-d].csv": ["d.csv"],
        "d[a-d].csv": [],
        "?.csv": ["d.csv"],
    }
    found = {pattern: [item.uri for item in listed.source(pattern).objects()] for pattern in meanings}
    assert found == {pattern: [f"{listed.root}/{name}" for name in names] for pattern, names in meanings.items()}


def test_folders_are_no_objects(listed):
    listed.put("deep/d.csv", b"")
    assert listed.source("*").objects() == []


def test_a_glob_that_matches_nothing_is_empty(listed):
    assert listed.source("*.csv").objects() == []


def test_a_folder_is_every_file_below_it_but_hidden_ones_and_marks_of_writers(listed, folder):
    for name in ("b.csv", "a.csv", "deep/c.csv", "_SUCCESS", "deep/_SUCCESS", ".a.csv.crc", ".spark/d.csv"):
        listed.put(f"parts/{name}", name.encode())
    source = listed.source("parts/")
    items = source.objects()
    assert [item.uri for item in items] == [f"{listed.root}/parts/{name}" for name in ("a.csv", "b.csv", "deep/c.csv")]
    assert source.fetch(items[2], folder).path.read_bytes() == b"deep/c.csv"


def test_a_folder_without_files_is_empty(listed):
    assert listed.source("parts/").objects() == []


# local


def test_a_name_too_long_for_the_file_system_is_a_source_error():
    with pytest.raises(SourceError) as caught:
        LocalSource("x" * 300).objects()
    assert caught.value.found == "File name too long"


def test_a_file_uri_and_a_home_folder_are_local(tmp_path, monkeypatch):
    (tmp_path / "rows.csv").write_bytes(b"a\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for address in (f"file://{tmp_path}/rows.csv", "~/rows.csv", "~/*.csv"):
        assert [item.uri for item in open_source(address, Access(None)).objects()] == [f"{tmp_path}/rows.csv"]


def test_a_folder_without_a_stroke_at_its_end_is_the_same(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.csv").write_bytes(b"a\n")
    assert [item.uri for item in LocalSource(f"{tmp_path}/parts").objects()] == [f"{tmp_path}/parts/a.csv"]


@pytest.mark.parametrize("address", ["in/day.parquet", "in/*.parquet", "in", "in/**/*.parquet", "in/*"])
def test_a_parquet_folder_is_one_object_whose_version_follows_its_files(tmp_path, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "day.parquet").mkdir(parents=True)
    part = tmp_path / "in" / "day.parquet" / "part-0.parquet"
    part.write_bytes(b"123")
    (first,) = LocalSource(address).objects()
    assert (first.uri, first.size) == ("in/day.parquet", 3)
    part.write_bytes(b"1234")
    (second,) = LocalSource(address).objects()
    assert second.version != first.version


# s3


def test_a_missing_bucket_is_not_found(aws):
    for address in ("s3://nowhere/rows.csv", "s3://nowhere/*.csv"):
        with pytest.raises(SourceNotFoundError) as caught:
            S3Source(address, aws).objects()
        assert caught.value.where == address


def test_an_object_that_changed_after_the_listing_is_not_fetched(aws, folder):
    aws.put_object(Bucket="bucket", Key="rows.csv", Body=b"old")
    source = S3Source("s3://bucket/rows.csv", aws)
    (item,) = source.objects()
    aws.put_object(Bucket="bucket", Key="rows.csv", Body=b"new")
    with pytest.raises(SourceError, match="refused"):
        source.fetch(item, folder)


def test_objects_of_one_name_in_two_folders_do_not_overwrite_each_other(aws, folder):
    for key in ("a/rows.csv", "b/rows.csv"):
        aws.put_object(Bucket="bucket", Key=key, Body=key.encode())
    source = S3Source("s3://bucket/*/rows.csv", aws)
    fetched = [source.fetch(item, folder) for item in source.objects()]
    assert [file.path.read_bytes() for file in fetched] == [b"a/rows.csv", b"b/rows.csv"]


def test_a_version_of_an_object_is_read_after_it_was_overwritten(aws, folder):
    aws.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    old = aws.put_object(Bucket="bucket", Key="rows.csv", Body=b"old")
    aws.put_object(Bucket="bucket", Key="rows.csv", Body=b"new")
    source = S3Source(f"s3://bucket/rows.csv?versionId={old['VersionId']}", aws)
    (item,) = source.objects()
    assert (item.uri, item.version) == ("s3://bucket/rows.csv", old["ETag"].strip('"'))
    assert source.fetch(item, folder).path.read_bytes() == b"old"


def test_a_question_mark_in_a_key_is_a_wildcard_still(aws):
    aws.put_object(Bucket="bucket", Key="rows1.csv", Body=b"")
    assert [item.uri for item in S3Source("s3://bucket/rows?.csv", aws).objects()] == ["s3://bucket/rows1.csv"]


def test_a_key_longer_than_a_file_name_is_fetched(aws, folder):
    key = "k" * 300
    aws.put_object(Bucket="bucket", Key=key, Body=b"x")
    source = S3Source(f"s3://bucket/{key}", aws)
    assert source.fetch(source.objects()[0], folder).path.read_bytes() == b"x"


@pytest.mark.parametrize("address", ["s3://bucket", "s3:///rows.csv", "s3://Not A Bucket/rows.csv"])
def test_an_address_that_names_no_object_is_a_source_error(address):
    with pytest.raises(SourceError):
        S3Source(address, client_at("http://127.0.0.1:9", **KEYS)).objects()


def client_at(endpoint, **credentials):
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=2)
    # boto3.client would use the default session, which keeps the credentials of an earlier test
    return boto3.Session().client("s3", endpoint_url=endpoint, region_name="us-east-1", config=config, **credentials)


KEYS = {"aws_access_key_id": "someone", "aws_secret_access_key": SECRET}


def test_an_endpoint_that_is_down_is_unreachable():
    with pytest.raises(SourceUnreachableError) as caught:
        S3Source("s3://bucket/rows.csv", client_at("http://127.0.0.1:9", **KEYS)).objects()
    assert SECRET not in str(caught.value)


def test_missing_credentials_name_the_variables(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(MissingCredentialsError, match="AWS_ACCESS_KEY_ID"):
        S3Source("s3://bucket/rows.csv", client_at("http://127.0.0.1:9")).objects()


def test_s3_that_refuses_access_says_so(web):
    web.answers["/bucket/rows.csv"] = (403, {}, b"")
    with pytest.raises(SourceError) as caught:
        S3Source("s3://bucket/rows.csv", client_at(web.root, **KEYS)).objects()
    assert type(caught.value) is SourceError
    assert "403" in caught.value.found
    assert SECRET not in str(caught.value)


# web


@pytest.mark.parametrize(("status", "kind"), [(403, SourceError), (404, SourceNotFoundError), (500, SourceError)])
def test_a_refusal_of_the_server_does_not_show_the_query(web, status, kind):
    web.answers["/rows.csv"] = (status, {}, b"")
    with pytest.raises(SourceError) as caught:
        WebSource(f"{web.root}/rows.csv?token={SECRET}").objects()
    assert type(caught.value) is kind
    assert caught.value.found == f"HTTP {status}"
    assert SECRET not in str(caught.value)


def test_a_host_that_is_down_is_unreachable():
    with pytest.raises(SourceUnreachableError, match="Connection refused"):
        WebSource("http://127.0.0.1:9/rows.csv").objects()


def test_a_server_that_speaks_no_http_is_unreachable(web):
    web.answers["/rows.csv"] = (200, {"Content-Length": "8\r\n" + "X: y\r\n" * 200}, b"a,b\n1,2\n")
    with pytest.raises(SourceUnreachableError):
        WebSource(f"{web.root}/rows.csv").objects()


@pytest.mark.parametrize("address", ["http://example.org/rows.csv", f"https://me:{SECRET}@example.org/rows.csv"])
def test_an_address_that_exposes_data_or_secrets_is_refused(address):
    with pytest.raises(SourceError) as caught:
        WebSource(address).objects()
    assert caught.value.where.endswith("://example.org/rows.csv")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [f"https://[{SECRET}]/rows.csv", f"https://[me:{SECRET}/rows.csv", f"http://127.0.0.1:nine/rows.csv?{SECRET}"],
)
def test_a_malformed_address_is_a_source_error_that_does_not_show_it_all(address):
    with pytest.raises(SourceError) as caught:
        open_source(address, Access(None)).objects()
    assert SECRET not in str(caught.value)


def test_a_path_is_percent_encoded_once(web):
    web.files["/d%C3%A9j%C3%A0%20vu.csv"] = b"a\n"
    for name in ("déjà vu.csv", "d%C3%A9j%C3%A0%20vu.csv"):
        assert WebSource(f"{web.root}/{name}").objects()[0].size == 2


def test_a_redirect_within_the_machine_is_followed_and_one_to_plain_http_elsewhere_is_not(web, folder):
    web.files["/new.csv"] = b"a\n"
    web.answers["/old.csv"] = (302, {"Location": "/new.csv"}, b"")
    web.answers["/out.csv"] = (302, {"Location": f"http://example.org/rows.csv?token={SECRET}"}, b"")
    source = WebSource(f"{web.root}/old.csv")
    assert source.fetch(source.objects()[0], folder).path.read_bytes() == b"a\n"
    with pytest.raises(SourceError, match="redirects to plain http") as caught:
        WebSource(f"{web.root}/out.csv").objects()
    assert SECRET not in str(caught.value)


def test_a_download_that_breaks_off_is_not_taken_for_the_file(web, folder):
    web.answers["/rows.csv"] = (200, {"Content-Length": "100"}, b"a,b\n1,2\n")
    source = WebSource(f"{web.root}/rows.csv")
    with pytest.raises(SourceUnreachableError, match="broke off") as caught:
        source.fetch(source.objects()[0], folder)
    assert (caught.value.found, caught.value.expected) == ("8 bytes", "100 bytes")


@pytest.mark.parametrize("bound", ["MAX_BYTES", "DEADLINE_SECONDS"])
def test_a_download_past_its_bounds_is_stopped(web, folder, monkeypatch, bound):
    web.files["/rows.csv"] = b"a,b\n1,2\n"
    source = WebSource(f"{web.root}/rows.csv")
    (item,) = source.objects()
    monkeypatch.setattr(f"resources.sources.web.{bound}", 0)
    with pytest.raises(SourceError, match="went past its bounds"):
        source.fetch(item, folder)


def test_a_fetched_file_has_its_own_version(web, folder):
    web.files["/rows.csv"] = b"old"
    source = WebSource(f"{web.root}/rows.csv")
    (item,) = source.objects()
    web.files["/rows.csv"] = b"new"
    assert source.fetch(item, folder).version == source.objects()[0].version != item.version


@pytest.mark.parametrize("status", [403, 405, 501])
def test_a_server_without_head_gets_a_get(web, status, folder, monkeypatch):
    web.files["/rows.csv"] = b"a\n"
    monkeypatch.setattr(Files, "do_HEAD", lambda self: self.send_error(status))
    source = WebSource(f"{web.root}/rows.csv")
    assert source.fetch(source.objects()[0], folder).path.read_bytes() == b"a\n"


def test_without_a_reported_version_the_digest_is_the_version(web, folder):
    web.tagged = False
    web.files["/rows.csv"] = b"a\n"
    source = WebSource(f"{web.root}/rows.csv")
    (item,) = source.objects()
    digest = hashlib.sha256(b"a\n").hexdigest()
    assert source.fetch(item, folder).version == f"sha256-{digest}"


def test_a_server_without_tags_gives_date_and_size_as_version(web):
    web.tagged = False
    web.answers["/rows.csv"] = (200, {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, b"abc")
    assert WebSource(f"{web.root}/rows.csv").objects()[0].version == "Mon, 01 Jan 2024 00:00:00 GMT-3"


# demo and other schemes


def test_the_demo_files_are_there(folder):
    for name, file, start in (("flights", "flights.csv.zip", b"PK"), ("weather", "weather.csv", b"origin,")):
        source = open_source(f"demo://{name}", Access(None))
        (item,) = source.objects()
        fetched = source.fetch(item, folder)
        assert fetched.uri == f"demo://{file}"
        assert fetched.path.read_bytes().startswith(start)


def test_an_unknown_demo_lists_the_known_ones():
    with pytest.raises(SourceNotFoundError) as caught:
        DemoSource("demo://trains")
    assert caught.value.expected == "demo://flights, demo://weather"


def test_an_unknown_scheme_lists_the_known_ones():
    with pytest.raises(SourceError) as caught:
        open_source("ftp://host/rows.csv", Access(None))
    assert "s3://" in caught.value.expected


def test_a_new_source_is_one_registry_entry(monkeypatch, folder):
    class Toy(Source):
        def objects(self):
            return [SourceObject("toy://rows.csv", "1")]

        def fetch(self, item, folder):
            (folder / "rows").write_bytes(b"a\n1\n")
            return FetchedFile(folder / "rows", item.uri, item.version)

    monkeypatch.setattr(opening, "SOURCES", (*opening.SOURCES, SourceKind(("toy",), "toy://name", lambda *_: Toy())))
    source = open_source("toy://rows.csv", Access(None))
    assert read(source.fetch(source.objects()[0], folder)) == [{"a": 1}]
    with pytest.raises(SourceError, match="a query is for databases"):
        open_source("toy://rows", Access(None), Query("select 1", {}))
    with pytest.raises(SourceError, match="did you mean 'toy'") as caught:
        open_source("tyo://rows", Access(None))
    assert "toy://name" in caught.value.expected


# variables


@pytest.mark.parametrize(
    ("template", "expanded"),
    [
        ("${ROWS}", "/data/rows.csv"),
        ("s3://${BUCKET}/${ROWS:-x}", "s3://b//data/rows.csv"),
        ("${ABSENT:-/else/rows.csv}", "/else/rows.csv"),
        ("${EMPTY:-/else/rows.csv}", "/else/rows.csv"),
        ("${ABSENT:-}rows.csv", "rows.csv"),
        ("in/{partition}/*.csv", "in/2024-01/*.csv"),
        ("$ROWS", "$ROWS"),
    ],
)
def test_variables_and_partition_are_filled_in(template, expanded):
    environment = {"ROWS": "/data/rows.csv", "BUCKET": "b", "EMPTY": ""}
    assert expand_source(template, environment, "2024-01") == expanded


def test_the_partition_stays_where_there_is_none():
    assert expand_source("in/{partition}.csv", {}, None) == "in/{partition}.csv"


@pytest.mark.parametrize("environment", [{}, {"ROWS": ""}])
def test_a_variable_that_is_not_set_is_named(environment):
    with pytest.raises(SourceNotFoundError) as caught:
        expand_source("https://h/rows?token=hunter2&x=${ROWS}", environment, None)
    assert "ROWS=" in caught.value.remedy
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "DB_PASSWORD", "db_passwd", "SAS_TOKEN", "API_KEY", "PRIVATE"],
)
def test_a_variable_named_like_a_secret_is_refused(name):
    with pytest.raises(SourceError, match="may not hold a secret") as caught:
        expand_source("https://h/${" + name + "}", {name: SECRET}, None)
    assert SECRET not in str(caught.value)


def test_every_failure_is_one_of_ours_and_says_where(listed):
    for path in ("absent.csv", "x" * 2000):
        with pytest.raises(AssayError) as caught:
            listed.source(path).objects()
        assert caught.value.where


@pytest.fixture(params=["web", "s3"])
def remote(request):
    return PLACES[request.param](request)


@pytest.fixture
def on_the_web(request):
    return web_source(request)


@pytest.fixture
def cache(tmp_path):
    return SourceCache(tmp_path / "cache", 1_000)


def fetched(place, folder, cache, path="rows.csv"):
    """Return the bytes that a read gets, and whether they came from the cache."""
    source = place.source(path, cache=cache)
    [item] = source.objects()
    into = folder / uuid.uuid4().hex
    into.mkdir()
    file = source.fetch(item, into)
    assert file.version == (item.version or file.version)
    return file.path.read_bytes(), file.unchanged_since is not None


def test_an_unchanged_object_comes_from_the_cache_and_a_changed_one_does_not(remote, folder, cache):
    remote.put("rows.csv", b"a\n1\n")
    assert fetched(remote, folder, cache) == (b"a\n1\n", False)
    assert fetched(remote, folder, cache) == (b"a\n1\n", True)
    remote.put("rows.csv", b"a\n2\n")
    assert fetched(remote, folder, cache) == (b"a\n2\n", False)
    assert fetched(remote, folder, cache) == (b"a\n2\n", True)


def test_without_a_size_nothing_is_kept(remote, folder, tmp_path):
    off = SourceCache(tmp_path / "cache")
    remote.put("rows.csv", b"")
    assert [fetched(remote, folder, off) for _ in range(2)] == [(b"", False)] * 2
    assert not off.folder.exists()


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [("bytes", b"a", b"b"), ("json", b"{", b"?"), ("json", b"fetched", b"sent"), ("json", b"+00:00", b"+xx")],
)
def test_what_was_damaged_in_the_cache_is_fetched_again_with_a_warning(remote, folder, cache, caplog, kind, old, new):
    remote.put("rows.csv", b"a\n1\n")
    fetched(remote, folder, cache)
    [kept] = cache.folder.glob(f"*.{kind}")
    kept.write_bytes(kept.read_bytes().replace(old, new))
    assert fetched(remote, folder, cache) == (b"a\n1\n", False)
    assert "damaged" in caplog.text
    assert fetched(remote, folder, cache) == (b"a\n1\n", True)


def test_what_another_process_removed_is_fetched_again(remote, folder, cache):
    remote.put("rows.csv", b"a\n1\n")
    fetched(remote, folder, cache)
    [kept] = cache.folder.glob("*.bytes")
    kept.unlink()
    assert fetched(remote, folder, cache) == (b"a\n1\n", False)


def test_the_longest_unused_object_makes_room(remote, folder, cache):
    for name in "abc":
        remote.put(f"{name}.csv", f"{name}\n".encode() * 200)
    for path in ("a.csv", "b.csv", "a.csv", "c.csv"):
        fetched(remote, folder, cache, path)
    assert [fetched(remote, folder, cache, path)[1] for path in ("a.csv", "c.csv")] == [True, True]
    assert len(list(cache.folder.glob("*.bytes"))) == len(list(cache.folder.glob("*.json"))) == 2
    assert fetched(remote, folder, cache, "b.csv") == (b"b\n" * 200, False)


def test_an_object_larger_than_the_cache_is_not_kept(remote, folder, cache):
    remote.put("rows.csv", b"a" * 1_001)
    assert [fetched(remote, folder, cache)[1] for _ in range(2)] == [False, False]


def test_a_folder_that_cannot_be_written_does_not_fail_a_read(remote, folder, tmp_path, caplog):
    (tmp_path / "file").touch()
    remote.put("rows.csv", b"a\n1\n")
    assert fetched(remote, folder, SourceCache(tmp_path / "file" / "cache", 99)) == (b"a\n1\n", False)
    assert "was not kept" in caplog.text


def test_an_unchanged_object_that_may_no_longer_be_read_is_not_given(on_the_web, web, folder, cache):
    on_the_web.put("rows.csv", b"a\n1\n")
    fetched(on_the_web, folder, cache)
    source = on_the_web.source("rows.csv", cache=cache)
    [item] = source.objects()
    web.answers["/rows.csv"] = (403, {}, b"")
    with pytest.raises(SourceError, match="refused"):
        source.fetch(item, folder)


@pytest.mark.parametrize("etag", ['W/"1"', "1", '""'])
def test_a_version_that_does_not_say_the_bytes_is_not_kept(on_the_web, web, folder, cache, etag):
    web.answers["/rows.csv"] = (200, {"ETag": etag}, b"a\n1\n")
    assert [fetched(on_the_web, folder, cache)[1] for _ in range(2)] == [False, False]


def test_the_same_tag_behind_another_redirection_is_another_object(on_the_web, web, folder, cache):
    for name in ("one", "two"):
        web.answers[f"/{name}.csv"] = (200, {"ETag": '"1"'}, f"a\n{name}\n".encode())
    web.answers["/rows.csv"] = (302, {"Location": "/one.csv"}, b"")
    fetched(on_the_web, folder, cache)
    assert fetched(on_the_web, folder, cache) == (b"a\none\n", True)
    web.answers["/rows.csv"] = (302, {"Location": "/two.csv"}, b"")
    assert fetched(on_the_web, folder, cache) == (b"a\ntwo\n", False)


def test_a_file_that_changed_after_it_was_listed_is_not_taken_from_the_cache(on_the_web, folder, cache):
    on_the_web.put("rows.csv", b"a\n1\n")
    fetched(on_the_web, folder, cache)
    source = on_the_web.source("rows.csv", cache=cache)
    [item] = source.objects()
    on_the_web.put("rows.csv", b"a\n2\n")
    file = source.fetch(item, folder)
    assert (file.path.read_bytes(), file.unchanged_since) == (b"a\n2\n", None)
    assert file.version != item.version


def test_an_unchanged_file_is_not_sent_again(on_the_web, web, folder, cache):
    on_the_web.put("rows.csv", b"a\n1\n")
    for _ in range(2):
        fetched(on_the_web, folder, cache)
    assert web.requests[-2:] == [("HEAD", "/rows.csv", 200), ("GET", "/rows.csv", 304)]


def test_secrets_of_an_address_are_not_in_the_cache(on_the_web, folder, cache):
    on_the_web.put("rows.csv", b"a\n1\n")
    fetched(on_the_web, folder, cache, f"rows.csv?signature={SECRET}")
    assert not [path for path in cache.folder.iterdir() if SECRET in path.read_text()]


def test_what_a_killed_process_left_in_the_cache_is_removed_after_a_day(remote, folder, cache):
    cache.folder.mkdir()
    (cache.folder / "old.partial").touch()
    os.utime(cache.folder / "old.partial", (0, 0))
    (cache.folder / "new.partial").touch()
    remote.put("rows.csv", b"a\n1\n")
    fetched(remote, folder, cache)
    assert [path.name for path in cache.folder.glob("*.partial")] == ["new.partial"]


def test_which_files_are_from_the_cache_is_said():
    when = dt.datetime(2020, 1, 2, 3, 4, tzinfo=dt.UTC)
    new = FetchedFile(Path("a"), "a", "1")
    old, older = (dataclasses.replace(new, unchanged_since=each) for each in (when, when - dt.timedelta(days=1)))
    assert from_the_cache([new]) == ""
    assert from_the_cache([old]) == "unchanged since 2020-01-02 03:04 UTC, from the cache"
    assert from_the_cache([old, new, older]) == "2 of 3 files unchanged since 2020-01-01 03:04 UTC, from the cache"
