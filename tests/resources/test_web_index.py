"""Folders behind https: their listings, in each form that servers make."""

import functools
import http.server
import json
import threading

import pytest

from assay.errors import SourceError
from resources.sources.interface import Access
from resources.sources.opening import open_source

FILES = ("a.csv", "b c.csv", "ä.csv", "n.txt")
APACHE = """<html><h1>Index of /in</h1><table>
<tr><th><a href="?C=N;O=D">Name</a></th><th><a href="?C=M;O=A">Last modified</a></th></tr>
<tr><td><a href="/">Parent Directory</a></td></tr>
<tr><td><a href="a.csv">a.csv</a></td></tr><tr><td><a href="b%20c.csv">b c.csv</a></td></tr>
<tr><td><a href="deep/">deep/</a></td></tr><tr><td><a href="deep/d.csv">d</a></td></tr>
<tr><td><a href="%C3%A4.csv">ä.csv</a></td></tr><tr><td><a HREF='n.txt'>n.txt</a></td></tr>
<tr><td><a href="https://elsewhere.example/e.csv">e.csv</a></td></tr></table></html>"""
NGINX = """<html><body><pre><a href="../">../</a>
<a href="a.csv">a.csv</a>  01-Jan-2024 00:00  12
<a href="b%20c.csv">b c.csv</a>
<a href="%C3%A4.csv">ä.csv</a>
<a href="n.txt">n.txt</a></pre></body></html>"""
JSON = json.dumps(
    [{"name": "deep", "type": "directory"}, *({"name": name, "type": "file", "size": 1} for name in FILES)]
)


class Served(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, with a listing of its own where the server has one."""

    def do_GET(self):
        self.server.asked.append(("GET", self.path))
        if self.path != "/in/" or self.server.index is None:
            super().do_GET()
            return
        body = self.server.index.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self):
        self.server.asked.append(("HEAD", self.path))
        super().do_HEAD()

    def log_message(self, *args):
        """Stay quiet."""


@pytest.fixture
def server(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in FILES:
        (tmp_path / "in" / name).write_text(name)
    handler = functools.partial(Served, directory=str(tmp_path))
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    made.index, made.asked, made.root = None, [], f"http://127.0.0.1:{made.server_port}/in/"
    serving = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    yield made
    made.shutdown()
    serving.join()
    made.server_close()


def source(server, pattern=""):
    return open_source(server.root + pattern, Access(None))


@pytest.mark.parametrize("index", [APACHE, NGINX, JSON, json.dumps([*FILES, "../up.csv"]), None])
def test_every_form_of_listing_gives_the_folder_s_files(server, index):
    server.index = index
    names = ["%C3%A4.csv", "a.csv", "b%20c.csv", "n.txt"]
    assert [item.uri for item in source(server).objects()] == [server.root + name for name in names]
    assert [item.uri for item in source(server, "*.csv").objects()] == [server.root + name for name in names[:3]]


def test_a_file_of_a_folder_is_fetched_in_its_version(server, tmp_path):
    (tmp_path / "fetched").mkdir()
    files = source(server)
    fetched = [files.fetch(item, tmp_path / "fetched") for item in files.objects()]
    assert [each.path.read_text() for each in fetched] == ["ä.csv", "a.csv", "b c.csv", "n.txt"]
    (item,) = files.matching(lambda uri: uri.endswith("a.csv"))
    assert item.version == fetched[1].version
    (tmp_path / "in" / "a.csv").write_text("rewritten")
    assert files.matching(lambda uri: uri.endswith("a.csv"))[0].version != item.version


def test_a_listed_file_that_was_deleted_is_left_out(server):
    server.index = json.dumps(["a.csv", "gone.csv"])
    assert [item.uri for item in source(server).objects()] == [f"{server.root}a.csv"]
    assert [item.uri for item in source(server).page(None, 9).objects] == [f"{server.root}a.csv"]


def test_a_page_requests_its_own_files_only(server, tmp_path):
    server.index = json.dumps([f"{number:03d}.csv" for number in range(120)])
    files = source(server)
    for number in range(50, 60):
        (tmp_path / "in" / f"{number:03d}.csv").touch()
    page = files.page(f"{server.root}049.csv", 10)
    assert [item.uri for item in page.objects] == [f"{server.root}{number:03d}.csv" for number in range(50, 60)]
    assert page.last == f"{server.root}059.csv"
    assert [method for method, _ in server.asked] == ["GET"] + ["HEAD"] * 10


def test_a_page_is_short_whatever_the_limit(server, tmp_path):
    for number in range(60):
        (tmp_path / "in" / f"{number:03d}.csv").touch()
    files = source(server, "*.csv")
    first = files.page(None, 1000)
    second = files.page(first.last, 1000)
    assert (len(first.objects), len(second.objects), second.last) == (50, 13, None)


@pytest.mark.parametrize("index", ["{}", "[1]", "[{}]", "[", '[{"name": null}]'])
def test_a_listing_of_another_form_is_refused(server, index):
    server.index = index
    with pytest.raises(SourceError, match="listing cannot be read"):
        source(server).objects()
