"""The endpoint behind a real server: slow clients, more requests than slots, promotions while requests run."""

import contextlib
import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from prediction_cases import fitted
from served import NO_KEYS, Shelf, follower_of, listening

from assay.prediction.golden import TOLERANCE
from serving import protocol
from serving.admission import Limits
from serving.application import application
from serving.keys import Keys

ROW = {"size": 50.0, "rooms": 2, "balcony": True, "area": "north", "seen": "2024-02-01T10:00:00"}
BODY = json.dumps({"rows": [ROW]}).encode()
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def model():
    return fitted(steps=False)


def shelf_of(model):
    shelf = Shelf()
    shelf.promote("1", model)
    return shelf


@contextlib.contextmanager
def served(model, limits, keys=NO_KEYS):
    with listening(application(follower_of(shelf_of(model)), limits, keys)) as port:
        yield port


def asked(port, method="POST", path="/predict", body=BODY, headers=JSON):
    """Return status, headers and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def received(connection):
    """Return what a connection gives until it is closed."""
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def until(condition, seconds=30):
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Slow:
    """A model whose predictions wait until they may go on."""

    def __init__(self, model):
        self.estimator, self.begun, self.go_on = model.estimator, threading.Event(), threading.Event()
        self.classes_ = model.estimator.classes_

    def predict(self, features):
        self.begun.set()
        self.go_on.wait(60)
        return self.estimator.predict(features)

    def predict_proba(self, features):
        return self.estimator.predict_proba(features)


@pytest.fixture
def slow(model):
    from dataclasses import replace

    made = Slow(model)
    yield made, replace(model, estimator=made)
    made.go_on.set()


def test_a_slow_body_is_refused_and_others_are_answered_meanwhile(model):
    with (
        served(model, Limits(seconds=1.0)) as port,
        socket.create_connection(("127.0.0.1", port), timeout=60) as trickle,
    ):
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
        trickle.sendall(head + b"{")
        assert asked(port)[0] == 200
        found = received(trickle)
    assert found.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in found.lower()


@pytest.mark.parametrize("head", [b"", b"POST /predict HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "half a head"])
def test_a_head_that_does_not_end_is_not_waited_for(model, monkeypatch, head):
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)
    with served(model, Limits()) as port, socket.create_connection(("127.0.0.1", port), timeout=60) as silent:
        silent.sendall(head)
        began = time.monotonic()
        assert received(silent) == b""
        assert time.monotonic() - began < 10
        assert asked(port)[0] == 200


def test_a_second_head_on_one_connection_is_not_waited_for_either(model, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)
    with served(model, Limits()) as port, socket.create_connection(("127.0.0.1", port), timeout=60) as silent:
        silent.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\n")
        assert received(silent).count(b"200 OK") == 1


def test_a_head_without_bound_is_cut(model):
    with served(model, Limits()) as port, socket.create_connection(("127.0.0.1", port), timeout=60) as long:
        long.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n")
        assert sent(long, b"X-More: " + b"a" * 1_000 + b"\r\n", most=50_000_000) < 50_000_000
        assert asked(port)[0] == 200


def sent(connection, part, most):
    """Send a part again and again until the other end closes; return how many bytes it took."""
    taken = 0
    with contextlib.suppress(ConnectionError):
        while taken < most:
            connection.sendall(part)
            taken += len(part)
    return taken


def test_many_requests_on_one_connection(model):
    with served(model, Limits()) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(50):
            connection.request("POST", "/predict", BODY, JSON)
            answer = connection.getresponse()
            assert answer.status == 200
            answer.read()
        connection.close()


def test_beyond_the_bound_requests_are_refused_at_once(slow):
    made, model = slow
    made.go_on.set()  # for the golden replay
    with served(model, Limits(concurrency=3, seconds=60)) as port, ThreadPoolExecutor(3) as clients:
        made.go_on.clear()
        waiting = [clients.submit(asked, port) for _ in range(3)]
        until(lambda: b"assay_serving_requests_in_progress 3.0" in asked(port, "GET", "/metrics", None, {})[2])
        began = time.monotonic()
        status, headers, _ = asked(port)
        assert (status, headers["retry-after"]) == (503, "1")
        assert time.monotonic() - began < 1
        assert asked(port, "GET", "/health", None, {})[0] == 200
        made.go_on.set()
        assert [each.result()[0] for each in waiting] == [200, 200, 200]
        assert asked(port)[0] == 200


def test_a_prediction_that_takes_too_long_is_not_waited_for_and_keeps_its_place(slow):
    made, model = slow
    made.go_on.set()
    with served(model, Limits(concurrency=1, seconds=0.5)) as port:
        made.go_on.clear()
        status, headers, body = asked(port)
        assert (status, headers["retry-after"]) == (503, "1")
        assert b"longer than 0.5 s" in body
        assert b"too many requests" in asked(port)[2]
        made.go_on.set()
        until(lambda: asked(port)[0] == 200)


def test_promotions_and_roll_backs_lose_no_request(model):
    shelf = shelf_of(model)
    shelf.models["2"] = fitted("binary_classification", "random_forest", steps=False, n_estimators=5)
    follower = follower_of(shelf)
    answers, stop = [], threading.Event()

    def ask(port):
        while not stop.is_set():
            status, headers, body = asked(port)
            answers.append((status, headers["x-model-version"], json.loads(body)))

    with listening(application(follower, Limits(), NO_KEYS)) as port, ThreadPoolExecutor(4) as clients:
        running = [clients.submit(ask, port) for _ in range(4)]
        for version in ("2", "1", "2", "1"):
            time.sleep(0.3)
            shelf.promote(version)
            follower.evaluate()
        time.sleep(0.3)
        stop.set()
        for each in running:
            each.result()
    assert {status for status, *_ in answers} == {200}
    assert {version for _, version, _ in answers} == {"1", "2"}
    expected = {version: body["predictions"] for _, version, body in answers}
    assert expected["1"] != expected["2"]
    for _, version, body in answers:
        assert body["version"] == version
        (found,), (known,) = body["predictions"], expected[version]
        # requests that waited are one prediction, whose last bits depend on the number of rows
        assert found == pytest.approx(known, rel=0, abs=TOLERANCE)


def test_keys_are_required_of_all_but_the_probes(model):
    key, other = "k" * 24, "o" * 24
    with served(model, Limits(), Keys.of((other, key), "0.0.0.0")) as port:
        for path, method in (
            ("/predict", "POST"),
            ("/model", "GET"),
            ("/metrics", "GET"),
            ("/openapi.json", "GET"),
        ):
            body = BODY if method == "POST" else None
            for headers in ({}, {"X-API-Key": key[:-1]}, {"X-API-Key": ""}, {"Authorization": f"Basic {key}"}):
                assert asked(port, method, path, body, JSON | headers)[0] == 401, (path, headers)
            for headers in ({"X-API-Key": key}, {"X-API-Key": other}, {"Authorization": f"Bearer {key}"}):
                assert asked(port, method, path, body, JSON | headers)[0] == 200, (path, headers)
        for path in ("/health", "/ready", "/docs"):
            assert asked(port, "GET", path, None, {})[0] == 200
