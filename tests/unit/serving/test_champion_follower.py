"""Which version answers: promotions, roll-backs, withdrawals, and versions that cannot be served."""

import pytest
from asgi import Client
from prediction_cases import fitted
from served import NO_KEYS, Shelf, follower_of

from assay.errors import DigestMismatchError, StoreUnavailableError
from serving import champion_follower as followed
from serving.admission import Limits
from serving.application import application


@pytest.fixture(scope="module")
def model():
    return fitted(steps=False)


@pytest.fixture(scope="module")
def changed(model):
    """A model that does not repeat its golden predictions."""
    first, *others = model.manifest.golden.predictions
    other = {**first, "probability_True": first["probability_True"] + 1e-7}
    return model.repeating(model.manifest.golden.model_copy(update={"predictions": (other, *others)}))


def shelf_of(model):
    shelf = Shelf()
    shelf.promote("1", model)
    return shelf


def test_promotions_and_roll_backs_are_followed(model):
    shelf = shelf_of(model)
    follower = follower_of(shelf)
    shelf.promote("2", model)
    assert follower.serving_version().entry.version == "1"
    follower.evaluate()
    assert follower.serving_version().entry.version == "2"
    shelf.promote("1")
    follower.evaluate()
    assert follower.serving_version().entry.version == "1"


def test_a_version_is_loaded_once(model):
    shelf = shelf_of(model)
    follower = follower_of(shelf)
    follower.evaluate()
    shelf.promote("1")  # another entry of the same version
    follower.evaluate()
    assert shelf.loads == ["1"]


def test_a_model_that_fails_its_golden_replay_is_never_served(model, changed):
    shelf = shelf_of(model)
    follower = follower_of(shelf)
    shelf.promote("2", changed)
    follower.evaluate()
    assert follower.serving_version().entry.version == "1"
    assert follower.problem.code == "golden_replay_failed"
    ready = Client(application(follower, Limits(), NO_KEYS)).get("/ready")
    assert ready.status == 200
    assert "golden_replay_failed" in ready.json()["problem"]
    shelf.promote("3", model)
    follower.evaluate()
    assert follower.serving_version().entry.version == "3"
    assert follower.problem is None


def test_without_a_version_before_it_nothing_is_served(changed):
    shelf = Shelf()
    shelf.promote("1", changed)
    client = Client(application(follower_of(shelf), Limits(), NO_KEYS))
    assert client.get("/ready").status == 503
    refused = client.post("/predict", {"rows": []})
    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert client.get("/health").status == 200


@pytest.mark.parametrize(
    "error", [DigestMismatchError("the files are others"), ValueError("a defect")], ids=["typed", "untyped"]
)
def test_a_version_that_cannot_be_loaded_leaves_the_one_before(model, error):
    shelf = shelf_of(model)
    follower = follower_of(shelf)
    shelf.models["2"] = error
    shelf.promote("2")
    follower.evaluate()
    assert follower.serving_version().entry.version == "1"
    assert follower.problem is not None


def test_a_version_that_failed_is_tried_again_after_a_while(model, changed, monkeypatch):
    shelf = Shelf()
    shelf.promote("1", changed)
    follower = follower_of(shelf)
    follower.evaluate()
    assert shelf.loads == ["1"]
    assert follower.problem.code == "golden_replay_failed"
    monkeypatch.setattr(followed, "RETRY_SECONDS", 0.0)
    shelf.models["1"] = model
    follower.evaluate()
    assert follower.serving_version().entry.version == "1"


def test_an_outage_costs_nothing_and_is_tried_again_at_once(model):
    shelf = shelf_of(model)
    follower = follower_of(shelf)
    shelf.error = StoreUnavailableError("the store does not answer")
    follower.evaluate()
    assert follower.serving_version().entry.version == "1"
    assert follower.problem.code == "store_unavailable"
    shelf.error = None
    shelf.models["2"] = StoreUnavailableError("the store does not answer")
    shelf.promote("2")
    follower.evaluate()
    shelf.models["2"] = model
    follower.evaluate()
    assert follower.serving_version().entry.version == "2"
    assert follower.problem is None


def test_after_a_withdrawal_nothing_is_served(model):
    shelf = shelf_of(model)
    follower = follower_of(shelf)
    shelf.current = None
    follower.evaluate()
    client = Client(application(follower, Limits(), NO_KEYS))
    assert client.post("/predict", {"rows": []}).status == 503
    assert client.get("/model").status == 503


def test_a_model_of_an_earlier_version_is_served_by_setting_alone(model):
    old = model.repeating(None)
    refused = follower_of(shelf_of(old))
    assert refused.current is None
    assert "ASSAY_SERVE_WITHOUT_GOLDEN" in refused.problem.remedy
    served = follower_of(shelf_of(old), without_golden=True)
    page = Client(application(served, Limits(), NO_KEYS)).get("/model").json()
    assert "without golden replay" in page["warning"]
    assert page["golden_replay"] == 0


def test_what_an_evaluation_found_is_reported(model):
    seen = []
    shelf = shelf_of(model)
    follower = follower_of(shelf, seen=lambda *facts: seen.append(facts))
    follower.evaluate()
    shelf.current = None
    follower.evaluate()
    assert seen == [("changed", "1", None), ("current", "1", None), ("none", None, None)]
