"""The challenger in the shadow: each row that is offered is counted once, whatever happens."""

import json
import threading
from collections import Counter

import pytest
from prediction_cases import fitted, user_rows
from served import Shelf, follower_of

from assay.specs.serving import ServingSpec
from serving.arms import Arms
from serving.batching import Body, Job, responses_to
from serving.shadow import Shadow

ROWS = json.loads(user_rows().head(2).to_json(orient="records", date_format="iso"))
REQUESTS = 3


@pytest.fixture(scope="module")
def version():
    shelf = Shelf()
    shelf.promote("1", fitted(steps=False))
    return follower_of(shelf).serving_version()


class Counts:
    """Counts rows, and knows when all of them are counted."""

    def __init__(self, rows):
        self.rows, self.by_outcome, self.done = rows, Counter(), threading.Event()

    def shadowed(self, outcome, rows):
        self.by_outcome[outcome] += rows
        if self.by_outcome.total() >= self.rows:
            self.done.set()


def shadowed(version, predicted):
    """Return the rows by outcome of some requests of two rows, of which the whole is predicted together."""
    counts = Counts(REQUESTS * len(ROWS))
    shadow = Shadow(predicted, lambda: True, counts)
    arms = Arms(version, version, "flats", ServingSpec(challenger={}, shadow=True, log=None))
    body = Body(json.dumps({"rows": ROWS}).encode())
    for number in range(REQUESTS):
        job = Job(arms, body, f"request {number}", 100, 10**6)
        [(_, answer)] = responses_to([job])
        shadow.offer(job, answer, version)
    shadow.start()
    assert counts.done.wait(60)
    shadow.stop()
    return counts.by_outcome


def test_rows_in_the_shadow_are_logged_and_counted(version):
    logged = []
    assert shadowed(version, logged.append) == {"predicted": 6}
    assert [(each.request_id, each.shadow) for each in logged] == [(f"request {n}", True) for n in range(REQUESTS)]


def test_rows_that_a_defect_of_the_shadow_costs_are_counted_as_failed(version, caplog):
    logged = []

    def full_at_the_second(rows):
        if logged:
            raise ValueError("a defect")
        logged.append(rows)

    assert shadowed(version, full_at_the_second) == {"predicted": 2, "failed": 4}
    assert "a defect of the shadow" in caplog.text
