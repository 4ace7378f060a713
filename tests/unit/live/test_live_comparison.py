"""Champion and challenger over HTTP: which rows each answers, what the log holds, and what a failure changes."""

import datetime as dt
import json
import threading
import time
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from asgi import Client
from prediction_cases import fitted, user_rows
from served import NO_KEYS, Shelf, follower_of

from assay.errors import StoreUnavailableError
from assay.prediction.predictor import Predictor
from assay.serving import prediction_log as log
from assay.serving.arms import Arm, arm_of
from assay.specs.serving import ServingSpec
from serving import challenger_follower, shadow
from serving.admission import Limits
from serving.application import application
from serving.challenger_follower import ChallengerRefusedError
from serving.logged_answers import maker
from serving.metrics import Metrics
from serving.request_bodies import ARROW, arrow_bytes

SHARE = 0.4
ROWS = json.loads(user_rows().head(12).drop(columns=["id", "rent"]).to_json(orient="records"))
ROWS = [row | {"customer": number} for number, row in enumerate(ROWS)]
IS_CHALLENGED = [arm_of("flats", "2:", str(number), SHARE) is Arm.CHALLENGER for number in range(len(ROWS))]
ARMS = ["challenger" if challenged else "champion" for challenged in IS_CHALLENGED]


@pytest.fixture(scope="module")
def champion():
    return fitted(steps=False)


@pytest.fixture(scope="module")
def challenger():
    return fitted(steps=False, family="random_forest", n_estimators=3)


class Challengers:
    """A shelf as the registry of a challenger."""

    def __init__(self, shelf):
        self.shelf, self.alias, self.taken_back = shelf, None, False

    def version(self, wanted):
        return str(wanted.version) if wanted.version else self.alias

    def entry_of(self, version):
        if self.taken_back:
            raise ChallengerRefusedError("the challenger was taken back")
        return self.shelf.current.model_copy(update={"version": version, "digest": f"digest of {version}"})


class Writer:
    """Takes rows of the log at once."""

    durable = False

    def __init__(self):
        self.taken = []

    def start(self):
        pass

    def close(self):
        pass

    def offer(self, rows):
        self.taken.append(rows)

    def rows(self, *, values=False):
        return maker("flats", values=values)(self.taken).to_pylist()


class World:
    """An endpoint with a champion and a challenger."""

    def __init__(self, champion, challenger, /, **serving):
        self.shelf = Shelf()
        self.shelf.promote("1", champion)
        self.shelf.models["2"] = challenger
        self.challengers, self.writer, self.metrics = Challengers(self.shelf), Writer(), Metrics()
        wanted = {"challenger": {"version": 2, "share": SHARE, "by": "customer"}, **serving}
        self.serving = ServingSpec.model_validate_json(json.dumps(wanted))
        self.follower = follower_of(
            self.shelf, challengers=self.challengers, serving=self.serving, pipeline="flats", seen=self.metrics.followed
        )
        self.app = application(self.follower, Limits(), NO_KEYS, self.metrics, "flats", self.writer)
        self.client = Client(self.app)

    def predict(self, rows=ROWS, **headers):
        return self.client.post("/predict", {"rows": rows}, **headers)

    def count(self, text):
        lines = self.client.get("/metrics").body.decode().splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(text)), 0.0)


def by_each(rows, *models):
    """Return what each model predicts for the rows."""
    return [Predictor(model).table([dict(row) for row in rows]).to_pylist() for model in models]


def close(found, expected):
    assert [set(each) for each in found] == [set(each) for each in expected]
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other)


def test_each_row_is_answered_by_the_arm_of_its_key_in_the_requests_order(champion, challenger):
    reply = World(champion, challenger).predict()
    document = reply.json()
    assert (document["arms"], document["versions"]) == (ARMS, ["2" if each else "1" for each in IS_CHALLENGED])
    first, second = by_each(ROWS, champion, challenger)
    close(
        document["predictions"],
        [two if challenged else one for one, two, challenged in zip(first, second, IS_CHALLENGED, strict=True)],
    )
    assert (reply.headers["x-model-version"], reply.headers["x-model-arm"]) == ("1,2", "champion,challenger")


@pytest.mark.parametrize("number", range(4))
def test_one_row_names_one_version_and_arm(champion, challenger, number):
    reply = World(champion, challenger).predict(ROWS[number : number + 1])
    version = "2" if IS_CHALLENGED[number] else "1"
    assert (reply.json()["version"], reply.json()["arm"]) == (version, ARMS[number])
    assert (reply.headers["x-model-version"], reply.headers["x-model-arm"]) == (version, ARMS[number])
    assert "arms" not in reply.json()


def test_columns_and_arrow_are_divided_alike(champion, challenger):
    world = World(champion, challenger)
    expected = [each["prediction"] for each in world.predict().json()["predictions"]]
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    document = world.client.post("/predict", {"columns": columns}).json()
    assert (document["predictions"]["prediction"], document["arms"]) == (expected, ARMS)
    reply = world.client.post("/predict", arrow_bytes(pa.table(columns)), **{"content-type": ARROW})
    table = pa.ipc.open_stream(reply.body).read_all()
    assert table.column("prediction").to_pylist() == expected
    assert json.loads(table.schema.metadata[b"arms"]) == ARMS


def test_without_an_experiment_the_champion_answers_and_says_so(champion):
    shelf = Shelf()
    shelf.promote("1", champion)
    reply = Client(application(follower_of(shelf), Limits(), NO_KEYS)).post("/predict", {"rows": ROWS})
    assert (reply.json()["version"], reply.json()["arm"]) == ("1", "champion")
    assert reply.headers["x-prediction-log"] == "off"


def test_a_row_without_key_is_the_champions_and_no_part_of_the_experiment(champion, challenger):
    world = World(champion, challenger)
    rows = [{name: value for name, value in row.items() if name != "customer"} for row in ROWS]
    reply = world.predict(rows)
    assert (reply.status, reply.json()["arm"]) == (200, "champion")
    assert {(row[log.EXPERIMENT], row[log.SHARE], row[log.KEY]) for row in world.writer.rows()} == {("", None, None)}
    assert world.count("assay_serving_rows_without_key_total") == len(ROWS)


def test_a_key_of_another_length_names_its_column(champion, challenger):
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]} | {"customer": [1]}
    reply = World(champion, challenger).client.post("/predict", {"columns": columns})
    assert (reply.status, reply.json()["error"]["column"]) == (422, "customer")


def test_without_by_a_request_is_of_one_arm_by_its_id(champion, challenger):
    world = World(champion, challenger, challenger={"version": 2, "share": 0.5})
    arms = [world.predict(ROWS[:3], **{"x-request-id": f"r{number}"}).json()["arm"] for number in range(12)]
    assert arms == [str(arm_of("flats", "2:", f"r{number}", 0.5)) for number in range(12)]
    assert set(arms) == {"champion", "challenger"}


def test_errors_name_the_row_of_the_request_in_a_divided_one(champion, challenger):
    rows = [dict(row) for row in ROWS]
    rows[9]["rooms"] = "many"
    reply = World(champion, challenger).predict(rows)
    error = reply.json()["error"]
    assert (reply.status, error["column"], error["row"]) == (422, "rooms", 10)


class Failing:
    """An estimator that fails once it is armed, and otherwise is another."""

    def __init__(self, estimator, error):
        self.estimator, self.error, self.armed = estimator, error, False
        self.classes_ = estimator.classes_

    def predict(self, frame):
        return self.estimator.predict(frame)

    def predict_proba(self, frame):
        if self.armed:
            raise self.error
        return self.estimator.predict_proba(frame)


@pytest.mark.parametrize("rows", [ROWS, [row for row, is_it in zip(ROWS, IS_CHALLENGED, strict=True) if is_it]])
def test_a_challenger_that_crashes_costs_no_answer(champion, challenger, rows):
    failing = Failing(challenger.estimator, ZeroDivisionError("a defect"))
    world = World(champion, replace(challenger, estimator=failing))
    failing.armed = True
    reply = world.predict(rows)
    assert (reply.status, reply.json()["arm"]) == (200, "champion")
    close(reply.json()["predictions"], by_each(rows, champion)[0])
    assert world.count("assay_serving_challenger_fallback_rows_total") == sum(IS_CHALLENGED)
    passed_on = {row[log.KEY] for row in world.writer.rows() if not row[log.EXPERIMENT]}
    assert passed_on == {str(row["customer"]) for row, is_it in zip(ROWS, IS_CHALLENGED, strict=True) if is_it}


def test_requests_of_one_arm_are_predicted_together(champion, challenger):
    """Requests of both arms that wait at once are two predictions."""
    from serving.batching import Job, responses_to
    from serving.request_bodies import Body

    world = World(champion, challenger)
    arms, calls = world.follower.arms(), Counter()
    for version in (arms.champion, arms.challenger):
        real = version.predictor.of_source

        def counted(source, real=real, version=version, **options):
            calls[version.entry.version] += 1
            return real(source, **options)

        version.predictor.__dict__["of_source"] = counted
    jobs = [Job(arms, Body(json.dumps({"rows": [row]}).encode()), f"r{n}", 100, 10**6) for n, row in enumerate(ROWS)]
    found = dict(responses_to(jobs))
    assert [found[number].arm for number in range(len(ROWS))] == ARMS
    assert calls == {"1": 1, "2": 1}


def test_the_log_says_what_was_answered(champion, challenger):
    world = World(champion, challenger, columns=["order"])
    answer = world.predict([row | {"order": f"o{row['customer']}"} for row in ROWS], **{"x-request-id": "r"}).json()
    rows = sorted(world.writer.rows(), key=lambda row: row[log.ROW])
    assert [row[log.ROW] for row in rows] == list(range(1, len(ROWS) + 1))
    assert [row[log.ARM] for row in rows] == ARMS
    assert [row[log.LABEL] for row in rows] == [str(each["prediction"]) for each in answer["predictions"]]
    assert [row["log_probability_True"] for row in rows] == pytest.approx(
        [each["probability_True"] for each in answer["predictions"]]
    )
    assert [(row["customer"], row["order"], row[log.KEY]) for row in rows] == [
        (str(n), f"o{n}", str(n)) for n in range(12)
    ]
    assert {(row[log.REQUEST_ID], row[log.PIPELINE], row[log.SHADOW], row[log.SHARE]) for row in rows} == {
        ("r", "flats", False, SHARE)
    }
    assert {row[log.EXPERIMENT] for row in rows} == {"1:2"}
    assert all(dt.timedelta(0) <= dt.datetime.now(dt.UTC) - row[log.TIME] < dt.timedelta(minutes=1) for row in rows)
    assert all(row[log.LATENCY] > 0 for row in rows)
    assert "size" not in rows[0]


def test_values_are_logged_by_setting_and_digests_are_of_the_row_alone(champion, challenger):
    world = World(champion, challenger)
    world.predict(ROWS[:4])
    world.predict(ROWS[3:4])
    rows = world.writer.rows(values=True)
    assert min(row["size"] for row in rows) == min(row["size"] for row in ROWS[:4])
    last = [row[log.FEATURES] for row in rows if row[log.KEY] == "3"]
    assert len(last) == 2
    assert len(set(last)) == 1
    assert len({row[log.FEATURES] for row in rows}) == 4


def test_personal_columns_are_not_logged(champion, challenger):
    def personal(model):
        intake = model.manifest.intake
        columns = tuple(each.model_copy(update={"pii": each.name == "area"}) for each in intake.columns)
        manifest = model.manifest.model_copy(update={"intake": intake.model_copy(update={"columns": columns})})
        return replace(model, manifest=manifest)

    world = World(personal(champion), personal(challenger))
    world.predict()
    rows = world.writer.rows(values=True)
    assert "size" in rows[0]
    assert "area" not in rows[0]


# which version challenges


def test_the_challenger_that_becomes_champion_ends_the_experiment(champion, challenger):
    world = World(champion, challenger)
    loads = len(world.shelf.loads)
    world.shelf.promote("2")
    world.follower.evaluate()
    reply = world.predict()
    assert (reply.json()["version"], reply.json()["arm"]) == ("2", "champion")
    assert len(world.shelf.loads) == loads, "the version was verified before"
    ready = world.client.get("/ready").json()["challenger"]
    assert ready["version"] is None
    assert "ended" in ready["state"]
    world.shelf.promote("1")
    world.follower.evaluate()
    assert world.predict().json()["arms"] == ARMS


def test_a_version_that_people_took_back_challenges_no_more(champion, challenger, monkeypatch):
    world = World(champion, challenger)
    world.challengers.taken_back = True
    monkeypatch.setattr(challenger_follower, "RETRY_SECONDS", 0.0)
    world.follower.evaluate()
    assert world.predict().json()["arm"] == "champion"
    assert "taken back" in world.client.get("/ready").json()["challenger"]["problem"]


def _other_golden(model):
    first, *others = model.manifest.golden.predictions
    other = {**first, "probability_True": first["probability_True"] + 1e-7}
    return model.repeating(model.manifest.golden.model_copy(update={"predictions": (other, *others)}))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (_other_golden, "golden_replay_failed"),
        (lambda _: ValueError("a defect"), "ValueError"),
        (lambda _: fitted("regression", "ridge", steps=False), "challenger_refused"),
    ],
    ids=["golden", "defect", "another task"],
)
def test_a_challenger_that_cannot_be_served_leaves_everything_to_the_champion(champion, challenger, make, code):
    world = World(champion, make(challenger))
    assert world.predict().json()["arm"] == "champion"
    for path in ("/ready", "/model"):
        page = world.client.get(path)
        assert page.status == 200
        shown = page.json()["challenger"]
        assert code in shown["problem"]
        assert shown["state"] == "not served"
    assert world.count("assay_serving_challenger_version") == 0


def test_a_challenger_that_failed_is_tried_again_after_a_while(champion, challenger, monkeypatch):
    world = World(champion, _other_golden(challenger))
    world.follower.evaluate()
    assert world.shelf.loads.count("2") == 1
    monkeypatch.setattr(challenger_follower, "RETRY_SECONDS", 0.0)
    world.shelf.models["2"] = challenger
    world.follower.evaluate()
    assert world.count("assay_serving_challenger_version") == 2
    assert world.client.get("/ready").json()["challenger"] == {
        "version": "2", "state": "version 2 answers 0.4 of the keys", "problem": "",
    }  # fmt: skip


def test_an_outage_of_the_registry_changes_no_arm(champion, challenger, monkeypatch):
    world = World(champion, challenger)
    monkeypatch.setattr(challenger_follower, "RETRY_SECONDS", 0.0)

    def down(_):
        raise StoreUnavailableError("the store does not answer")

    monkeypatch.setattr(world.challengers, "entry_of", down)
    world.follower.evaluate()
    assert world.predict().json()["arms"] == ARMS
    shown = world.client.get("/ready").json()["challenger"]
    assert shown["state"] == "version 2 answers 0.4 of the keys"
    assert "the store does not answer" in shown["problem"]


def test_an_alias_is_followed(champion, challenger):
    world = World(champion, challenger, challenger={"share": SHARE, "by": "customer"})
    assert world.predict().json()["arm"] == "champion"
    world.challengers.alias = "2"
    world.follower.evaluate()
    assert world.predict().json()["arms"] == ARMS
    world.shelf.models["3"] = challenger
    world.challengers.alias = "3"
    world.follower.evaluate()
    assert "3" in world.predict().json()["versions"]
    world.challengers.alias = None
    world.follower.evaluate()
    assert world.predict().json()["arm"] == "champion"


def test_a_promotion_while_requests_run_loses_none(champion, challenger):
    world, replies, done = World(champion, challenger), [], threading.Event()

    def ask():
        client = Client(world.app)
        while not done.is_set():
            replies.append(client.post("/predict", {"rows": ROWS}))

    thread = threading.Thread(target=ask)
    thread.start()
    for version in ("2", "1") * 3:
        seen = len(replies)
        while len(replies) < seen + 2:
            time.sleep(0.001)
        world.shelf.promote(version)
        world.follower.evaluate()
    done.set()
    thread.join(10)
    assert {reply.status for reply in replies} == {200}
    answered = {(reply.json()["version"], reply.json()["arm"]) for reply in replies}
    # after a roll-back the champion answers everything until the challenger is verified
    assert {("1,2", "champion,challenger"), ("2", "champion")} <= answered
    assert answered <= {("1,2", "champion,challenger"), ("2", "champion"), ("1", "champion")}


# in the shadow


def until(state):
    """Wait until a state is reached."""
    end = time.monotonic() + 5
    while not state():
        assert time.monotonic() < end
        time.sleep(0.005)


def shadowed(champion, challenger, **named):
    return World(champion, challenger, challenger={"version": 2, "by": "customer", **named}, shadow=True)


def started(world):
    """Start the shadow's thread, which the server's lifespan starts."""
    world.app._app.state.recording.start()
    return world


def test_in_the_shadow_both_predict_and_the_champion_answers(champion, challenger):
    world = started(shadowed(champion, challenger))
    reply = world.predict(**{"x-request-id": "r"})
    assert (reply.json()["version"], reply.json()["arm"]) == ("1", "champion")
    until(lambda: world.count('assay_serving_shadow_rows_total{outcome="predicted"}') == len(ROWS))
    rows = [row for row in world.writer.rows() if row[log.SHADOW]]
    assert [row[log.ROW] for row in rows] == list(range(1, len(ROWS) + 1))
    assert {(row[log.VERSION], row[log.ARM], row[log.REQUEST_ID], row[log.LATENCY]) for row in rows} == {
        ("2", "challenger", "r", None)
    }
    expected = by_each(ROWS, challenger)[0]
    assert [row[log.LABEL] for row in rows] == [str(each["prediction"]) for each in expected]
    assert {row[log.EXPERIMENT] for row in world.writer.rows()} == {"1:2"}


def test_a_share_of_the_keys_is_predicted_in_the_shadow(champion, challenger):
    world = started(shadowed(champion, challenger, share=SHARE))
    world.predict()
    until(lambda: world.count('assay_serving_shadow_rows_total{outcome="predicted"}') == sum(IS_CHALLENGED))
    assert [row[log.ROW] - 1 for row in world.writer.rows() if row[log.SHADOW]] == list(np.flatnonzero(IS_CHALLENGED))


def test_a_shadow_that_crashes_changes_nothing(champion, challenger):
    failing = Failing(challenger.estimator, ZeroDivisionError("a defect"))
    world = started(shadowed(champion, replace(challenger, estimator=failing)))
    failing.armed = True
    assert world.predict().status == 200
    until(lambda: world.count('assay_serving_shadow_rows_total{outcome="failed"}') == len(ROWS))
    failing.armed = False
    world.predict()
    until(lambda: world.count('assay_serving_shadow_rows_total{outcome="predicted"}') == len(ROWS))


def test_a_slow_shadow_slows_no_answer_and_what_it_misses_is_counted(champion, challenger, monkeypatch):
    monkeypatch.setattr(shadow, "_WAITING", 3)
    release = threading.Event()
    slow = SimpleNamespace(
        predict=challenger.estimator.predict,
        predict_proba=lambda frame: (release.wait(10), challenger.estimator.predict_proba(frame))[1],
        classes_=challenger.estimator.classes_,
    )
    release.set()
    world = started(shadowed(champion, replace(challenger, estimator=slow)))
    release.clear()
    began = time.monotonic()
    for _ in range(20):
        assert world.predict().status == 200
    assert time.monotonic() - began < 5
    assert world.count('assay_serving_shadow_rows_total{outcome="dropped"}') >= 8 * len(ROWS)
    release.set()
