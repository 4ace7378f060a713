"""What the endpoint counts, and the page for people."""

import re

from prediction_cases import fitted
from served import Shelf, endpoint

from serving.admission import Limits
from serving.application import application
from serving.champion_follower import ChampionFollower
from serving.keys import Keys
from serving.metrics import Metrics

ROW = {"size": 50.0, "rooms": 2, "balcony": True, "area": "north", "seen": "2024-02-01T10:00:00"}


def value_of(page, name):
    """Return the value of one line of the metrics."""
    found = [line for line in page.decode().splitlines() if line.startswith(f"{name} ")]
    return float(found[0].rpartition(" ")[2]) if found else None


def test_requests_rows_refusals_and_the_version_are_counted():
    from asgi import Client

    shelf, metrics = Shelf(), Metrics()
    shelf.promote("7", fitted(steps=False))
    follower = ChampionFollower(shelf, seen=metrics.followed)
    follower.evaluate()
    client = Client(application(follower, Limits(), Keys(()), metrics))
    client.post("/predict", {"rows": [ROW, ROW]})
    client.post("/predict", {"rows": [{**ROW, "rooms": "many"}]})
    client.get("/somewhere/a-name-that-is-made-up")
    page = client.get("/metrics").body
    assert value_of(page, 'assay_serving_requests_total{path="/predict",status="200"}') == 1
    assert value_of(page, 'assay_serving_requests_total{path="/predict",status="422"}') == 1
    assert value_of(page, 'assay_serving_requests_total{path="other",status="404"}') == 1
    assert value_of(page, 'assay_serving_rows_sum{version="7"}') == 2
    assert value_of(page, 'assay_serving_refusals_total{code="data_contract_broken"}') == 1
    assert value_of(page, "assay_serving_model_version") == 7
    assert value_of(page, 'assay_serving_champion_evaluations_total{outcome="changed"}') == 1
    assert value_of(page, "assay_serving_requests_in_progress") == 0
    assert b"made-up" not in page
    assert b"_created" not in page


def test_the_page_for_people_runs_its_own_script_alone():
    page = endpoint(fitted(steps=False)).get("/docs")
    policy = page.headers["content-security-policy"]
    assert page.status == 200
    assert "default-src 'none'" in policy
    assert len(re.findall(r"'sha256-[^']+'", policy)) == page.body.decode().count("<script>") == 1
    assert not re.search(rb"(src|href)\s*=", page.body)
    assert b"innerHTML" not in page.body
