"""A body that is somewhat too large is read, so that its client sees the answer and no closed connection."""

import http.client
import json

import pytest
from prediction_cases import fitted
from served import NO_KEYS, Shelf, follower_of, listening

from serving.admission import Limits
from serving.application import application

BOUND = 5_000_000


@pytest.fixture(scope="module")
def port():
    shelf = Shelf()
    shelf.promote("1", fitted(steps=False))
    with listening(application(follower_of(shelf), Limits(bytes=BOUND), NO_KEYS)) as number:
        yield number


@pytest.mark.parametrize("_", range(3))
def test_a_client_that_sends_too_much_is_told(port, _):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/predict", b" " * (2 * BOUND), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["error"]["code"]) == (413, "request_refused")
