"""A web server that receives posts and answers as a test sets it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class WebReceiver:
    """What was posted, and the statuses of the next answers; 0 for no answer at all, 200 after the last."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def web_receiver() -> Iterator[WebReceiver]:
    """Serve on a free port; at the end nothing hangs."""
    receiver = WebReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.posts.append((dict(self.headers), body))
            status = receiver.statuses.pop(0) if receiver.statuses else 200
            if status == 0:
                receiver.over.wait()
                return
            self.send_response(status)
            if status in {301, 302, 307}:
                self.send_header("Location", f"{receiver.url}/elsewhere")
            self.end_headers()

        def do_GET(self):
            receiver.posts.append(({"method": "GET"}, b""))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def web():
    with web_receiver() as receiver:
        yield receiver
