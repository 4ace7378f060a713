"""Promotions and roll-backs while clients ask: no request is lost, and each answer is of the version that it names."""

import http.client
import json
import threading
from collections import Counter
from dataclasses import dataclass, field

import pytest
from prediction_cases import fitted, user_rows
from served import NO_KEYS, Shelf, follower_of, listening

from serving.admission import Limits
from serving.application import application

ROWS = json.loads(user_rows().head(3).to_json(orient="records", date_format="iso"))
CLIENTS, ANSWERS = 6, 12


@pytest.fixture(scope="module")
def models():
    return {"1": fitted(steps=False), "2": fitted(steps=False, C=0.01)}


@dataclass
class Load:
    """Clients that ask without a pause, each over one connection, until they are stopped."""

    port: int
    asked: int = 0
    answers: list = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    stopping: bool = False

    def ask(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        body, headers = json.dumps({"rows": ROWS}), {"Content-Type": "application/json"}
        while not self.stopping:
            with self.changed:
                self.asked += 1
            connection.request("POST", "/predict", body, headers)
            found = connection.getresponse()
            answer = found.status, found.headers["x-model-version"], json.loads(found.read())
            with self.changed:
                self.answers.append(answer)
                self.changed.notify_all()

    def wait_for(self, version):
        """Wait until a version has given further answers."""
        with self.changed:
            wanted = self.count(version) + ANSWERS
            assert self.changed.wait_for(lambda: self.count(version) >= wanted, 120), f"version {version} is silent"

    def count(self, version):
        return sum(each[1] == version for each in self.answers)


def test_no_request_is_lost_and_each_answer_is_of_the_version_that_it_names(models):
    shelf = Shelf()
    shelf.promote("1", models["1"])
    follower = follower_of(shelf)
    with listening(application(follower, Limits(), NO_KEYS)) as port:
        load = Load(port)
        clients = [threading.Thread(target=load.ask) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        load.wait_for("1")
        for version in ("2", "1", "2"):  # a promotion, its roll-back, and a promotion again
            shelf.promote(version, models[version])
            follower.evaluate()
            load.wait_for(version)
        load.stopping = True
        for client in clients:
            client.join(60)
    assert len(load.answers) == load.asked
    assert Counter(status for status, _, _ in load.answers) == {200: load.asked}
    said = {version: set() for version in models}
    for _, version, answer in load.answers:
        assert answer["version"] == version
        said[version].add(round(answer["predictions"][0]["probability_True"], 9))
    first, second = said.values()
    assert (len(first), len(second), first & second) == (1, 1, set())
