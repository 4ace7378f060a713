"""Every class of input over HTTP, in each form in which a request can have it, against the predictor itself."""

import datetime as dt
import json

import pandas as pd
import pyarrow as pa
import pytest
from prediction_cases import ANSWERS, Refused, fitted, user_rows
from served import endpoint

from assay.prediction.predictor import Predictor
from serving.request_bodies import ARROW, JSON, arrow_bytes


@pytest.fixture(scope="module", params=[False, True], ids=["rows", "steps"])
def model(request):
    return fitted(steps=request.param)


@pytest.fixture(scope="module")
def client(model):
    return endpoint(model)


def plain(value):
    return value.isoformat() if isinstance(value, dt.date) else value.item()


def as_json(given, form):
    """Return a case's rows as the body of a request; an infinity as JSON can write it."""
    if isinstance(given, pd.DataFrame):
        without = given.astype(object).where(given.notna(), None)
        given = without.to_dict("records") if form == "rows" else without.to_dict("list")
    elif isinstance(given, pa.Table):
        given = given.to_pylist() if form == "rows" else given.to_pydict()
    elif isinstance(given, list) and form == "columns":
        given = {name: [row[name] for row in given] for name in given[0]}
    elif isinstance(given, dict) and form == "rows":
        given = [dict(zip(given, row, strict=True)) for row in zip(*given.values(), strict=True)]
    text = json.dumps({form: given}, default=plain)
    return text.replace("Infinity", "1e999").replace("NaN", "null").encode(), {"content-type": JSON}


def as_arrow(given, _form):
    if isinstance(given, list | dict):
        given = pd.DataFrame(given)
    try:
        table = given if isinstance(given, pa.Table) else pa.Table.from_pandas(given, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        pytest.skip("an Arrow column has one type")
    return arrow_bytes(table), {"content-type": ARROW}


def predictions_of(reply):
    if reply.headers["content-type"] == ARROW:
        return pa.ipc.open_stream(reply.body).read_all().to_pandas()
    return pd.DataFrame(reply.json()["predictions"])


@pytest.mark.parametrize("form", ["rows", pytest.param("columns", marks=pytest.mark.full), "arrow"])
@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: case.name)
def test_rows_of_a_user(model, client, case, form):
    rows = user_rows()
    body, headers = (as_arrow if form == "arrow" else as_json)(case.change(rows), form)
    reply = client.post("/predict", body, **headers)
    if isinstance(case.answer, Refused):
        assert reply.status == 422, reply.body
        error = reply.json()["error"]
        assert error["column"] == case.answer.column
        assert error.get("row") == case.answer.row
        assert error["expected"]
        return
    assert reply.status == 200, reply.body
    found, expected = predictions_of(reply), case.answer.rows(Predictor(model).predict(rows))
    if expected is None:
        assert len(found) == len(rows)
        assert found.notna().all(axis=None)
        return
    assert len(found) == len(expected)
    if len(expected):
        pd.testing.assert_frame_equal(found, expected.reset_index(drop=True), rtol=1e-12, atol=0)


def test_an_answer_names_model_version_and_request(client):
    reply = client.post(
        "/predict",
        {"rows": user_rows().head(2).astype(object).where(lambda f: f.notna(), None).to_dict("records")},
        **{"x-request-id": "order-17"},
    )
    facts = reply.json()
    assert (facts["model"], facts["version"], facts["request_id"]) == ("flats", "1", "order-17")
    assert reply.headers["x-request-id"] == "order-17"
    assert reply.headers["x-model-version"] == "1"


def test_an_arrow_answer_names_them_in_its_schema(client):
    body, headers = as_arrow(user_rows(), "arrow")
    reply = client.post("/predict", body, **headers)
    metadata = pa.ipc.open_stream(reply.body).schema.metadata
    assert metadata[b"version"] == b"1"
    assert metadata[b"request_id"].decode() == reply.headers["x-request-id"]


def test_probabilities_may_be_left_out(client):
    reply = client.post(
        "/predict",
        {
            "columns": user_rows().head(1).astype(object).where(lambda f: f.notna(), None).to_dict("list"),
            "probabilities": False,
        },
    )
    assert set(reply.json()["predictions"]) == {"prediction"}


def test_a_regression_answers_numbers():
    reply = endpoint(fitted("regression", "ridge", steps=False)).post(
        "/predict",
        {"rows": [{"size": 50, "rooms": 2, "balcony": None, "area": "north", "seen": "2024-02-01T10:00:00"}]},
    )
    assert set(reply.json()["predictions"][0]) == {"prediction"}
    assert isinstance(reply.json()["predictions"][0]["prediction"], float)


def test_an_arrow_stream_has_its_options_in_the_address(client):
    body, headers = as_arrow(user_rows().head(3), "arrow")
    whole = predictions_of(client.post("/predict", body, **headers))
    labels = predictions_of(client.post("/predict?probabilities=false", body, **headers))
    assert list(whole.columns) == ["prediction", "probability_False", "probability_True"]
    pd.testing.assert_frame_equal(labels, whole[["prediction"]])
    again = predictions_of(client.post("/predict?probabilities=true&interval=0", body, **headers))
    pd.testing.assert_frame_equal(again, whole)


def test_an_arrow_stream_asks_for_the_interval_that_json_asks_for():
    regression = endpoint(fitted("regression", "ridge", steps=False))
    rows = user_rows().head(4).drop(columns="rent")
    json_body, json_headers = as_json(rows, "rows")
    asked = json.dumps({**json.loads(json_body), "interval": 0.9}).encode()
    expected = predictions_of(regression.post("/predict", asked, **json_headers))
    body, headers = as_arrow(rows, "arrow")
    found = predictions_of(regression.post("/predict?interval=0.9", body, **headers))
    assert list(found.columns) == ["prediction", "lower", "upper"]
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("probabilities=no", "true or false"),
        ("probabilities=", "true or false"),
        ("interval=1.5", "share"),
        ("interval=nan", "share"),
        ("interval=1e-1", "share"),
        ("interval=-0.5", "share"),
        ("interval=" + "9" * 5000, "share"),
        ("probabilties=false", "did you mean 'probabilities'"),
        ("<script>=1", "unknown option"),
        ("%ff%fe=1", "unknown option"),
        ("probabilities=true&probabilities=false", "repeated"),
        ("&".join(["interval=0.9"] * 10_000), "repeated"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(client, query, word):
    body, headers = as_arrow(user_rows().head(1), "arrow")
    reply = client.post(f"/predict?{query}", body, **headers)
    assert reply.status == 400
    assert word in json.dumps(reply.json())
    assert len(reply.body) < 1000


def test_json_has_its_options_in_the_body(client):
    body, headers = as_json(user_rows().head(1), "rows")
    reply = client.post("/predict?probabilities=false", body, **headers)
    assert reply.status == 400
    assert "in its body" in reply.json()["error"]["what"]


def test_the_model_page_describes_rows_and_predictions(model, client):
    page = client.get("/model").json()
    assert (page["name"], page["version"], page["card"]) == ("flats", "1", "# flats")
    assert page["golden_replay"] == 5
    row = page["row"]
    assert row["properties"]["rooms"]["type"] == ["integer", "null"]
    assert row["properties"]["seen"]["type"] == ["string", "null"]
    assert set(row["required"]) == set(model.manifest.intake.required)
    assert page["prediction"]["properties"]["prediction"] == {"type": "boolean", "enum": [False, True]}
    reply = client.post("/predict", {"rows": row["examples"]})
    assert reply.status == 200


def test_the_rows_of_the_model_are_in_openapi(client):
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert document["components"]["schemas"]["Row"]["properties"]["rooms"]["type"] == ["integer", "null"]
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert set(body) == {JSON, ARROW}
    options = {each["name"]: each for each in document["paths"]["/predict"]["post"]["parameters"]}
    in_json = document["components"]["schemas"]["PredictionRequest"]["properties"]
    assert {name: each["schema"] for name, each in options.items()} == {
        name: in_json[name] for name in ("probabilities", "interval")
    }
    assert {each["in"] for each in options.values()} == {"query"}


def test_probes_say_whether_a_model_answers(client):
    assert client.get("/health").status == 200
    ready = client.get("/ready")
    assert (ready.status, ready.json()["version"]) == (200, "1")
