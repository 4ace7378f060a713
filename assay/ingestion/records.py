"""JSON records: an array of objects, or one object on each line.

Does not belong here: nested data; values are numbers, texts, booleans or null.
"""

import json
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import MalformedDataError


def read_json(path: Path, name: str) -> pa.Table:
    """Read an array of objects.

    Raises:
        MalformedDataError: not strict JSON (NaN and repeated keys are refused), or no array of flat objects.
    """
    document = _parse(_text(path, name), name)
    if not isinstance(document, list):
        raise _refusal(name, f"a JSON {type(document).__name__}", "an array of objects")
    return _table(document, name)


def read_jsonl(path: Path, name: str) -> pa.Table:
    """Read one object from each line; blank lines are skipped.

    Raises:
        MalformedDataError: a line is no strict JSON object; says which.
    """
    lines = _text(path, name).split("\n")  # JSON texts may hold the other line breaks that `splitlines` knows
    return _table([_parse(line, f"{name}:{n}") for n, line in enumerate(lines, 1) if line.strip()], name)


def _text(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refusal(name, f"byte {error.start} is not UTF-8", "UTF-8 text") from error


def _parse(text: str, where: str) -> Any:
    def refuse_constant(word: str) -> NoReturn:
        raise _refusal(where, word, "a number, text, true, false or null")

    def refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        record = dict(pairs)
        if len(record) != len(pairs):
            names = [key for key, _ in pairs]
            raise _refusal(where, f"repeated key {sorted({k for k in names if names.count(k) > 1})}", "unique keys")
        return record

    try:
        return json.loads(text, parse_constant=refuse_constant, object_pairs_hook=refuse_repeated)
    except (ValueError, RecursionError) as error:
        raise _refusal(where, str(error), "strict JSON") from error


def _table(records: list[Any], name: str) -> pa.Table:
    columns: dict[str, None] = {}
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise _refusal(f"{name}, record {number}", type(record).__name__, "an object")
        nested = [key for key, value in record.items() if isinstance(value, dict | list)]
        if nested:
            raise _refusal(f"{name}, record {number}", f"nested value of '{nested[0]}'", "flat objects")
        columns.update(dict.fromkeys(record))
    return pa.table({column: _column(column, records, name) for column in columns})


def _column(column: str, records: list[dict[str, Any]], name: str) -> pa.Array:
    values = [record.get(column) for record in records]
    where = f"{name}, column '{column}'"
    try:
        array = pa.array(values)
    except (ValueError, TypeError, OverflowError) as error:  # Arrow's own errors derive from these
        kinds = sorted({type(value).__name__ for value in values if value is not None})
        found = f"values of types {', '.join(kinds)}"
        raise _refusal(where, found, "one type; whole numbers within 64 bits; texts of valid Unicode") from error
    if pa.types.is_floating(array.type) and pc.any(pc.is_inf(array)).as_py():
        raise _refusal(where, "a number too large for a float", "numbers below 1.8e308")
    return array


def _refusal(where: str, found: str, expected: str) -> MalformedDataError:
    return MalformedDataError("the file is not readable as JSON records", where=where, found=found, expected=expected)
