"""Bodies of requests: JSON as records or columns, or an Arrow stream, with bounds on all that they make of memory.

Only columns that the model takes are kept, so that what else a body holds is read once and never converted.
"""

import json
import re
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, NoReturn
from urllib.parse import parse_qsl

import pyarrow as pa

from assay.errors import Location, did_you_mean
from assay.prediction.rows import UserRows
from serving.arrow_streams import rows_of_stream
from serving.refusals import RequestError, shown, too_large, too_many, unreadable

JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"
ROWS, COLUMNS, PROBABILITIES, INTERVAL = "rows", "columns", "probabilities", "interval"
_SCALARS = frozenset({str, int, float, bool, type(None)})
_LONGEST = 60
_ADDRESS = "address"
_OPTIONS = (PROBABILITIES, INTERVAL)
_DECIMAL = re.compile(r"[0-9]{1,3}(\.[0-9]{1,20})?")


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request as it came.

    Attributes:
        data: bytes.
        content_type: header, empty without one.
        encoding: header `Content-Encoding`, empty without one.
        query: of the address, which has the options of an Arrow stream.
    """

    data: bytes
    content_type: str = JSON
    encoding: str = ""
    query: str = ""


@dataclass(frozen=True, slots=True)
class PredictionRequest:
    """Rows to predict.

    Attributes:
        rows: of the columns that the model takes.
        form: in which the answer is expected.
        count: number of rows.
        probabilities: whether those of each class are asked for.
        interval: of a regression, the share of targets that it is to hold; 0 for none.
    """

    rows: UserRows
    form: Literal["rows", "columns", "arrow"]
    count: int
    probabilities: bool = True
    interval: float = 0.0


def parsed_request(body: Body, wanted: Sequence[str], max_rows: int, max_bytes: int) -> PredictionRequest:
    """Read a body.

    Args:
        body: of the request.
        wanted: the columns that the model takes.
        max_rows: most rows.
        max_bytes: largest body, unpacked.

    Raises:
        RequestError: it is too large, of another type, malformed, or holds no rows; or an option cannot be used.
    """
    kind, _, parameters = body.content_type.partition(";")
    kind = kind.strip().lower()
    if kind not in {JSON, ARROW}:
        raise RequestError(
            "bodies of this type are not read",
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            where="header Content-Type",
            found=repr(kind[:_LONGEST]) if kind else "none",
            expected=f"{JSON} or {ARROW}",
        )
    options = _options_of(body.query)
    data = unpacked(body, max_bytes)
    if kind == ARROW:
        table = rows_of_stream(data, wanted, max_rows, max_bytes)
        return PredictionRequest(table, "arrow", table.num_rows, *_checked(options))
    _require_utf8(parameters)
    document = _document(data)
    for name in options:
        raise RequestError(f"'{name}' of a JSON request is in its body", where=_ADDRESS, found=name)
    return _of_json(document, wanted, max_rows)


def _options_of(query: str) -> dict[str, Any]:
    """Return the options of an address by name, as the values that JSON would have where they can be read as such."""
    options: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True, encoding="utf-8", errors="replace"):
        if name not in _OPTIONS:
            near = did_you_mean(name[:_LONGEST], _OPTIONS)
            found, expected = shown(name) + near, " or ".join(_OPTIONS)
            raise RequestError("the address has an unknown option", where=_ADDRESS, found=found, expected=expected)
        if name in options:
            raise RequestError("an option is repeated", where=_ADDRESS, found=name)
        options[name] = _VALUES[name](text)
    return options


def _truth(text: str) -> Any:
    return {"true": True, "false": False}.get(text, text)


def _number(text: str) -> Any:
    return float(text) if _DECIMAL.fullmatch(text) else text


_VALUES = {PROBABILITIES: _truth, INTERVAL: _number}


def _checked(options: Mapping[str, Any]) -> tuple[bool, float]:
    """Return whether probabilities are asked for, and the share of the interval.

    Raises:
        RequestError: one of them is something else.
    """
    probabilities, interval = options.get(PROBABILITIES, True), options.get(INTERVAL, 0.0)
    if not isinstance(probabilities, bool):
        raise RequestError(f"'{PROBABILITIES}' is true or false", where=PROBABILITIES, found=shown(probabilities))
    if type(interval) not in {int, float} or not 0 <= interval < 1:
        raise RequestError(f"'{INTERVAL}' is a share", where=INTERVAL, found=shown(interval), expected="such as 0.9")
    return probabilities, float(interval)


def unpacked(body: Body, max_bytes: int) -> bytes:
    """Return a body without its compression, never more than the bound.

    Raises:
        RequestError: it is larger, of another encoding, or damaged.
    """
    encoding = body.encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body.data
    if encoding != "gzip":
        raise RequestError(
            "bodies of this encoding are not read",
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            where="header Content-Encoding",
            found=repr(encoding[:_LONGEST]),
            expected="gzip, or none",
        )
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        data = unpacker.decompress(body.data, max_bytes + 1)
    except zlib.error as error:
        raise RequestError("the body is no gzip file", where="body", found=str(error)) from error
    if len(data) > max_bytes:
        raise too_large(max_bytes)
    if not unpacker.eof or unpacker.unused_data:
        raise RequestError("the body is not one whole gzip file", where="body")
    return data


def _require_utf8(parameters: str) -> None:
    name, _, charset = parameters.strip().lower().partition("=")
    if name == "charset" and charset.strip('"') not in {"utf-8", "utf8"}:
        raise RequestError(
            "JSON is read as UTF-8",
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            where="header Content-Type",
            found=charset[:_LONGEST],
        )


def _document(data: bytes) -> Any:
    try:
        return _DECODER.decode(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RequestError("the body is not UTF-8", where=f"byte {error.start}") from error
    except RecursionError as error:
        raise RequestError("the JSON is nested too deeply", where="body", expected="rows of plain values") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, character {error.colno}"
        raise RequestError("the body is no JSON", where=where, found=error.msg) from error
    except ValueError as error:
        raise RequestError("the body is no JSON", where="body", found=str(error)[:_LONGEST]) from error


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise RequestError("a name is repeated in one object", where="body", found=repr(repeated)[:_LONGEST])
    return found


def _no_number(constant: str) -> NoReturn:
    raise RequestError(
        f"{constant} is no number of JSON", where="body", expected="null for a missing value", remedy="send null"
    )


_DECODER = json.JSONDecoder(object_pairs_hook=_without_repetition, parse_constant=_no_number)


def _of_json(document: Any, wanted: Sequence[str], max_rows: int) -> PredictionRequest:
    form = _form(document)
    probabilities, interval = _checked(document)
    read = _of_records if form == ROWS else _of_columns
    columns, count = read(document[form], wanted)
    if count > max_rows:
        raise too_many(count, max_rows)
    for name, values in columns.items():
        _require_plain(name, values)
    return PredictionRequest(columns, form, count, probabilities, interval)


def _form(document: Any) -> Literal["rows", "columns"]:
    expected = f'{{"{ROWS}": [{{"name": value, ...}}, ...]}}, or {{"{COLUMNS}": {{"name": [values, ...], ...}}}}'
    if not isinstance(document, dict):
        raise RequestError("the body is no JSON object", where="body", found=shown(document), expected=expected)
    known = (ROWS, COLUMNS, PROBABILITIES, INTERVAL)
    unknown = next((name for name in document if name not in known), None)
    if unknown is not None:
        near = did_you_mean(unknown[:_LONGEST], known)
        raise RequestError("the body has an unknown name", where="body", found=shown(unknown) + near, expected=expected)
    if (ROWS in document) == (COLUMNS in document):
        raise RequestError(f"the body has '{ROWS}' or '{COLUMNS}'", where="body", expected=expected)
    return "rows" if ROWS in document else "columns"


def _of_records(records: Any, wanted: Sequence[str]) -> tuple[dict[str, list[Any]], int]:
    if not isinstance(records, list):
        raise RequestError(f"'{ROWS}' is no array", where=ROWS, found=shown(records), expected="an array of objects")
    for number, row in enumerate(records, start=1):
        if not isinstance(row, dict):
            raise unreadable("a row is no object", row, "an object of names and values", Location(row=number))
    present = set().union(*records) if records else set(wanted)
    return {name: [row.get(name) for row in records] for name in wanted if name in present}, len(records)


def _of_columns(columns: Any, wanted: Sequence[str]) -> tuple[dict[str, list[Any]], int]:
    if not isinstance(columns, dict):
        raise RequestError(
            f"'{COLUMNS}' is no object", where=COLUMNS, found=shown(columns), expected="arrays by the name of a column"
        )
    known: dict[str, list[Any]] = {}
    for name in wanted:
        values = columns.get(name, known)
        if values is known:
            continue
        if not isinstance(values, list):
            raise unreadable("a column is no array", values, "an array of values", Location(column=name))
        known[name] = values
    return known, max(map(len, known.values()), default=0)


def _require_plain(name: str, values: Collection[Any]) -> None:
    if {type(value) for value in values} <= _SCALARS:
        return
    for number, value in enumerate(values, start=1):
        if type(value) not in _SCALARS:
            location = Location(row=number, column=name)
            raise unreadable("a value is an array or an object", value, "a plain value", location)


def arrow_bytes(table: pa.Table) -> bytes:
    """Return a table as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]
