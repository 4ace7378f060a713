"""Hostile requests: each is refused with a status and a reason, or answered; the endpoint lives on."""

import gzip
import json
import tracemalloc
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pytest
from prediction_cases import fitted
from served import endpoint

from serving.admission import Limits
from serving.request_bodies import ARROW, arrow_bytes

ROW = {"size": 50.0, "rooms": 2, "balcony": True, "area": "north", "seen": "2024-02-01T10:00:00"}
LIMITS = Limits(bytes=1_000_000, rows=100, seconds=20)


@dataclass(frozen=True)
class Hostile:
    """A request, and what the endpoint answers."""

    name: str
    body: bytes
    status: int
    headers: dict = field(default_factory=lambda: {"content-type": "application/json"})
    path: str = "/predict"
    method: str = "POST"
    column: str | None = None
    row: int | None = None
    says: str = ""


def rows(*changed):
    return json.dumps({"rows": [{**ROW, **change} for change in changed]}).encode()


def literal(name, text):
    """Return a row with a value that Python would not write."""
    return json.dumps({"rows": [ROW, {**ROW, name: "@"}]}).replace('"@"', text).encode()


def arrow(table):
    return arrow_bytes(table)


def one_row(**columns):
    return pa.table({name: columns.get(name, [value]) for name, value in ROW.items()})


def of_arrow(name, body, status, **more):
    return Hostile(name, body, status, {"content-type": ARROW}, **more)


def compressed():
    sink = pa.BufferOutputStream()
    table = one_row(area=["a" * 10_000])
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def compressed_dictionary():
    sink = pa.BufferOutputStream()
    table = one_row(area=pa.array(["a" * 10_000]).dictionary_encode())
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def dictionary_bomb():
    word = pa.array(["a" * 100_000])
    area = pa.DictionaryArray.from_arrays(pa.array(np.zeros(90, np.int32)), word)
    return arrow(pa.table({name: area if name == "area" else [value] * 90 for name, value in ROW.items()}))


def as_file():
    sink = pa.BufferOutputStream()
    table = one_row()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def wrong_offsets():
    body = arrow(
        pa.table({"area": ["north", "south"], **{name: [value] * 2 for name, value in ROW.items() if name != "area"}})
    )
    offsets = np.array([0, 5, 10], np.int32).tobytes()
    assert body.count(offsets) == 1
    return body.replace(offsets, np.array([0, 2**30, 10], np.int32).tobytes())


def twice():
    columns = {**ROW}
    names = [*columns, "area"]
    return arrow(pa.table([[columns[name]] for name in names], names=names))


def gzipped(name, body, status, **more):
    return Hostile(name, body, status, {"content-type": "application/json", "content-encoding": "gzip"}, **more)


TYPE = {"content-type": "application/json"}
BOMB = gzip.compress(b" " * 100_000_000, compresslevel=1)
REQUESTS = (
    Hostile("no body", b"", 400, says="no JSON"),
    Hostile("no JSON", b"{rows: 1}", 400, says="line 1"),
    Hostile("an array", b"[1, 2]", 400, says="an array of 2"),
    Hostile("a number", b"7", 400),
    Hostile("null", b"null", 400),
    Hostile("a misspelt name", b'{"row": []}', 400, says="did you mean 'rows'"),
    Hostile("rows and columns", b'{"rows": [], "columns": {}}', 400),
    Hostile("neither rows nor columns", b"{}", 400),
    Hostile("rows as an object", b'{"rows": {"size": [1]}}', 400),
    Hostile("columns as an array", b'{"columns": [1]}', 400),
    Hostile("a row that is a number", json.dumps({"rows": [ROW, 7]}).encode(), 422, row=2),
    Hostile("a column that is a number", json.dumps({"columns": {**ROW}}).encode(), 422, column="size"),
    Hostile("columns of different lengths",
            json.dumps({"columns": {name: [value] * (1 + (name == "area")) for name, value in ROW.items()}}).encode(), 422),
    Hostile("an object for a value", rows({}, {"size": {"$gt": 0}}), 422, column="size", row=2, says="array or an object"),
    Hostile("an array for a value", rows({"area": ["north"]}), 422, column="area", row=1, says="array or an object"),
    Hostile("probabilities that are a text", b'{"rows": [], "probabilities": "yes"}', 400),
    Hostile("NaN", literal("size", "NaN"), 400, says="NaN"),
    Hostile("Infinity", literal("size", "-Infinity"), 400, says="Infinity"),
    Hostile("1e400", literal("size", "1e400"), 422, column="size", row=2),
    Hostile("-1e400 for a whole number", literal("rooms", "-1e400"), 422, column="rooms", row=2),
    Hostile("beyond single precision", literal("size", "1e300"), 422, column="size", row=2),
    Hostile("a whole number of 4,000 digits", literal("rooms", "9" * 4_000), 422, column="rooms", row=2),
    Hostile("a whole number of 100,000 digits", literal("rooms", "9" * 100_000), 400),
    Hostile("arrays within arrays, 100,000 deep", b'{"rows": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, says="deeply"),
    Hostile("objects within objects, 100,000 deep", b'{"rows": ' + b'{"a":' * 100_000, 400),
    Hostile("500 deep in an ignored column", literal("more", "[" * 500 + "]" * 500), 200),
    Hostile("500 deep in a column", literal("area", "[" * 500 + "]" * 500), 422, column="area", row=2),
    Hostile("a repeated name", b'{"rows": [{"size": 1, "size": 2}]}', 400, says="'size'"),
    Hostile("bytes that are no UTF-8", b'{"rows": [{"area": "\xff\xfe"}]}', 400, says="UTF-8"),
    Hostile("UTF-16", json.dumps({"rows": [ROW]}).encode("utf-16"), 400, says="UTF-8"),
    Hostile("another charset", rows({}), 415, {"content-type": "application/json; charset=utf-16"}),
    Hostile("half a surrogate", literal("area", '"\\ud800"'), 422, column="area", row=2),
    Hostile("a NUL in a text", rows({"area": "north\0"}), 200),
    Hostile("SQL in a value", rows({"area": "'; drop table rows; --"}), 200),
    Hostile("HTML in a value", rows({"rooms": "<script>alert(1)</script>"}), 422, column="rooms", row=1),
    Hostile("HTML in a name", json.dumps({"<script>": 1}).encode(), 400),
    Hostile("10,000 further columns", rows({f"c{n}": n for n in range(10_000)}), 200),
    Hostile("10,000 columns and none that is known", json.dumps({"rows": [{f"c{n}": n for n in range(10_000)}]}).encode(), 422,
            column="size"),
    Hostile("a text of 900,000 characters", rows({"area": "a" * 900_000}), 200),
    Hostile("a text of 900,000 characters for a number", rows({"rooms": "9" * 900_000}), 422, column="rooms", row=1),
    Hostile("another type", b"size,rooms\n1,2\n", 415, {"content-type": "text/csv"}, says="text/csv"),
    Hostile("no type", rows({}), 415, {}, says="none"),
    Hostile("a form", b"rows=1", 415, {"content-type": "application/x-www-form-urlencoded"}),
    Hostile("a type that only begins like JSON", rows({}), 415, {"content-type": "application/json-seq"}),
    Hostile("more rows than allowed", json.dumps({"rows": [ROW] * 101}).encode(), 413, says="101 rows"),
    Hostile("a larger body", b" " * 1_000_001, 413),
    Hostile("a larger body that is only declared", b"{}", 413, {**TYPE, "content-length": "99999999999999999999999999"}),
    gzipped("a gzip bomb", BOMB, 413),
    gzipped("half a gzip file", gzip.compress(rows({}))[:-9], 400),
    gzipped("no gzip file", rows({}), 400),
    gzipped("two gzip files", gzip.compress(rows({})) * 2, 400),
    Hostile("another encoding", rows({}), 415, {**TYPE, "content-encoding": "br"}),
    Hostile("an encoding of encodings", rows({}), 415, {**TYPE, "content-encoding": "gzip, gzip"}),
    Hostile("up and down in the path", b"", 404, path="/model/../../../etc/passwd", method="GET"),
    Hostile("a slash more", rows({}), 404, path="//predict"),
    Hostile("a NUL in the path", rows({}), 404, path="/predict\0"),
    Hostile("a secret's path", b"", 404, path="/.env", method="GET"),
    Hostile("another method", b"", 405, method="GET"),
    Hostile("a method that does not exist", b"", 405, method="BREW"),
    of_arrow("no Arrow stream", b"ARROW", 400),
    of_arrow("no Arrow at all", b"", 400),
    of_arrow("half an Arrow stream", arrow(one_row())[:300], 400),
    of_arrow("an Arrow file for a stream", as_file(), 400),
    of_arrow("offsets that point elsewhere", wrong_offsets(), 400),
    of_arrow("compressed buffers", compressed(), 415),
    of_arrow("a compressed dictionary", compressed_dictionary(), 415),
    of_arrow("a dictionary of long values", dictionary_bomb(), 422, column="area"),
    of_arrow("a nested column", arrow(one_row(area=[["north"]])), 422, column="area"),
    of_arrow("a column of structures", arrow(one_row(size=[{"a": 1}])), 422, column="size"),
    of_arrow("views of texts", arrow(one_row(area=pa.array(["north"], pa.string_view()))), 422, column="area"),
    of_arrow("two columns of one name", twice(), 422, column="area"),
    of_arrow("a billion rows without a byte", arrow(pa.table({"size": pa.nulls(10**9)})), 413),
)  # fmt: skip


@pytest.fixture(scope="module")
def client():
    return endpoint(fitted(steps=True), limits=LIMITS)


def test_there_are_forty_and_more():
    assert len({case.name for case in REQUESTS}) == len(REQUESTS) >= 40


@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: case.name)
def test_a_hostile_request(client, case):
    reply = client.post(case.path, case.body, method=case.method, **case.headers)
    assert reply.status == case.status, reply.body[:500]
    assert reply.headers["content-type"].startswith("application/")
    assert reply.headers["x-content-type-options"] == "nosniff"
    if case.status != 200:
        error = reply.json()["error"]
        assert error["code"]
        assert error.get("column") == case.column
        assert error.get("row") == case.row
        assert case.says in json.dumps(error)
        assert len(reply.body) < 5_000
    assert client.post("/predict", {"rows": [ROW]}).status == 200


def test_a_gzip_bomb_is_not_unpacked(client):
    tracemalloc.start()
    try:
        reply = client.post("/predict", BOMB, **{"content-type": "application/json", "content-encoding": "gzip"})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reply.status == 413
    assert peak < 20_000_000


def test_a_body_that_was_not_declared_is_read_up_to_the_bound(client):
    import asyncio

    parts = [b" " * 100_000] * 50
    reply = asyncio.run(client.asked("POST", "/predict", b"", {"content-type": "application/json"}, parts))
    assert reply.status == 413
    assert reply.headers["connection"] == "close"


@pytest.mark.parametrize("given", ["<script>", "a b", "x" * 101, "", "é"])
def test_an_id_that_is_not_plain_is_replaced(client, given):
    reply = client.post("/predict", {"rows": [ROW]}, **{"x-request-id": given})
    assert reply.headers["x-request-id"] != given
    assert len(reply.headers["x-request-id"]) == 32
