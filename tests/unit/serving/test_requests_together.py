"""Requests that wait together are predicted together, and each gets what it would get alone."""

import json
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pytest
from prediction_cases import fitted, user_rows
from served import Shelf, follower_of

from serving.arms import Arms
from serving.batching import ROWS_TOGETHER, Job, responses_to
from serving.request_bodies import ARROW, Body, arrow_bytes

ROWS = json.loads(user_rows().to_json(orient="records"))


class Counting:
    """An estimator that records how many rows each call predicts."""

    def __init__(self, estimator):
        self.estimator, self.calls, self.classes_ = estimator, [], getattr(estimator, "classes_", None)

    def predict(self, features):
        self.calls.append(len(features))
        return self.estimator.predict(features)

    def predict_proba(self, features):
        return self.estimator.predict_proba(features)


@pytest.fixture(scope="module", params=[False, True], ids=["rows", "steps"])
def model(request):
    return fitted(steps=request.param)


@pytest.fixture
def served(model):
    """A version that takes rows together, and the rows of each of its predictions."""
    counting = Counting(model.estimator)
    shelf = Shelf()
    shelf.promote("1", replace(model, estimator=counting))
    version = follower_of(shelf).serving_version()
    counting.calls.clear()
    return version, counting.calls


def job(version, body, number=0):
    body = body if isinstance(body, Body) else Body(json.dumps(body).encode())
    return Job(Arms(version), body, f"request-{number}", 10_000, 10**7)


def outcomes(version, *bodies):
    found = dict(responses_to([job(version, body, number) for number, body in enumerate(bodies)]))
    assert sorted(found) == list(range(len(bodies)))
    return [found[number] for number in range(len(bodies))]


def predictions(outcome):
    return json.loads(outcome.data)["predictions"]


def require_close(found, expected):
    """Compare predictions of rows or of columns; sums of other lengths differ in the last digit."""
    pd.testing.assert_frame_equal(pd.DataFrame(found), pd.DataFrame(expected), rtol=1e-12, atol=0)


def alone(version, body):
    return predictions(outcomes(version, body)[0])


def test_waiting_requests_are_one_prediction_and_each_gets_its_own_rows(served):
    version, calls = served
    bodies = [{"rows": ROWS[:1]}, {"rows": ROWS[1:4]}, {"columns": {name: [ROWS[9][name]] for name in ROWS[9]}}]
    found = outcomes(version, *bodies)
    assert calls == [5]
    for outcome, body in zip(found, bodies, strict=True):
        require_close(predictions(outcome), alone(version, body))
    assert [json.loads(each.data)["request_id"] for each in found] == ["request-0", "request-1", "request-2"]
    assert [each.rows for each in found] == [1, 3, 1]


def test_a_bad_row_is_its_own_requests_alone_and_keeps_its_number(served):
    version, calls = served
    good, bad = {"rows": ROWS[:3]}, {"rows": [ROWS[3], {**ROWS[4], "rooms": "many"}]}
    first, refused, last = outcomes(version, good, bad, good)
    assert (refused.location.column, refused.location.row) == ("rooms", 2)
    assert calls == [6]
    require_close(predictions(first), predictions(last))


def test_a_row_that_only_the_model_refuses_is_named_by_itself(served):
    version, _ = served
    good, bad = {"rows": ROWS[:3]}, {"rows": [ROWS[3], {**ROWS[4], "size": 1e300}]}
    first, refused = outcomes(version, good, bad)
    assert (refused.location.column, refused.location.row) == ("size", 2)
    assert len(predictions(first)) == 3


def test_what_is_asked_of_each_differs(served):
    version, calls = served
    with_all, labels = outcomes(version, {"rows": ROWS[:1]}, {"rows": ROWS[:1], "probabilities": False})
    assert set(predictions(with_all)[0]) > set(predictions(labels)[0]) == {"prediction"}
    assert calls == [2]


def test_json_and_arrow_go_together_where_columns_are_the_same(served):
    version, calls = served
    table = pa.Table.from_pandas(user_rows().head(2), preserve_index=False)
    as_json, as_arrow = outcomes(version, {"rows": ROWS[:2]}, Body(arrow_bytes(table), ARROW))
    assert calls == [4]
    require_close(pa.ipc.open_stream(as_arrow.data).read_all().to_pylist(), predictions(as_json))


def test_other_columns_are_another_prediction(served):
    version, calls = served
    without = [{name: value for name, value in ROWS[0].items() if name != "id"}]
    outcomes(version, {"rows": ROWS[:1]}, {"rows": without})
    assert calls == [1, 1]


def test_an_empty_request_among_others(served):
    version, calls = served
    found = outcomes(version, {"rows": ROWS[:1]}, {"rows": []}, {"rows": ROWS[1:2]})
    assert [len(predictions(each)) for each in found] == [1, 0, 1]
    assert sum(calls) == 2


def test_large_requests_are_not_put_together(served):
    version, calls = served
    many = (ROWS * 10)[: ROWS_TOGETHER - 100]
    outcomes(version, {"rows": many}, {"rows": many})
    assert calls == [len(many)] * 2


def test_two_versions_are_two_predictions(served, model):
    version, calls = served
    other = replace(version, entry=version.entry.model_copy(update={"version": "2"}))
    found = dict(responses_to([job(version, {"rows": ROWS[:1]}), job(other, {"rows": ROWS[:1]})]))
    assert [found[0].version, found[1].version] == ["1", "2"]
    assert calls == [1, 1]


class SeesOthers(Counting):
    """An estimator whose probabilities depend on the other rows of a call."""

    def predict_proba(self, features):
        found = self.estimator.predict_proba(features)
        return found if len(features) == 5 else found * 0.5


def test_a_model_whose_rows_depend_on_others_answers_each_request_by_itself(model):
    shelf = Shelf()
    shelf.promote("1", replace(model, estimator=SeesOthers(model.estimator)))
    version = follower_of(shelf).serving_version()
    assert not version.takes_rows_together


def test_steps_that_can_see_other_rows_answer_each_request_by_itself():
    model = fitted(steps=True)
    intake = model.manifest.intake
    assert follower_of(_shelf(model)).serving_version().takes_rows_together
    step = intake.features.steps[-1].model_copy(update={"select": None, "sql": "select * exclude (seen) from rows"})
    seeing = intake.features.model_copy(update={"steps": (*intake.features.steps[:-1], step)})
    assert not seeing.is_of_rows_alone
    other = model.taking(intake.model_copy(update={"features": seeing}))
    version = follower_of(_shelf(other)).current
    assert version is None or not version.takes_rows_together


def _shelf(model):
    shelf = Shelf()
    shelf.promote("1", model)
    return shelf
