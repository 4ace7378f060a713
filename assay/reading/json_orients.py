"""The layouts of a table in one JSON document, by the names that pandas gives them (`orient`).

A layout is named and never guessed, since the keys of `columns` and `index` cannot be told apart. Row labels that
count the rows from 0 say nothing, and are left out; other labels are the column `index`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from assay.errors import MalformedDataError, Remedy
from assay.reading.defects import Defect, defect_error, require_few_columns, require_unique
from assay.reading.strict_json import WHAT, FaultyRecord, as_unicode, kind_of
from assay.specs.dataset import JsonOrient

Record: TypeAlias = dict[str, Any]
INDEX = "index"
_EXPECTED: Mapping[JsonOrient, str] = MappingProxyType(
    {
        JsonOrient.RECORDS: "an array of objects",
        JsonOrient.SPLIT: "an object of columns, data and index",
        JsonOrient.INDEX: "an object of rows, each an object",
        JsonOrient.COLUMNS: "an object of columns, each an object",
        JsonOrient.VALUES: "an array of arrays",
        JsonOrient.TABLE: "an object of schema and data",
    }
)
_OUTER: Mapping[JsonOrient, type] = MappingProxyType(
    {JsonOrient.RECORDS: list, JsonOrient.VALUES: list, JsonOrient.COLUMNS: dict, JsonOrient.INDEX: dict}
)


def records_of(document: Any, orient: JsonOrient | None) -> Iterator[tuple[int, Record]]:
    """Return the rows of a document, each with its number, from 1.

    Args:
        document: as `StrictParser` returns it.
        orient: the layout; None is `records`.

    Raises:
        MalformedDataError: the document has another layout, rows differ in length, keys or columns are repeated, or
            labels of rows have the name of a column.
    """
    wanted = orient or JsonOrient.RECORDS
    fitting = _orients_of(document)
    # a document that fits nothing is read where its outer value fits, so that the first odd value is named
    if wanted not in fitting and (fitting or not isinstance(document, _OUTER.get(wanted, ()))):
        raise _other_layout(document, wanted, fitting)
    return _READERS[wanted](document)


def record_of(value: Any, row: int) -> Record:
    """Return a row that is an object.

    Raises:
        MalformedDataError: it is something else, or keys are repeated.
    """
    if not isinstance(value, dict):
        raise defect_error(Defect.NOT_RECORDS, WHAT, row=row, found=kind_of(value), expected="an object")
    if isinstance(value, FaultyRecord):
        raise value.error(row)
    return value


def _orients_of(document: Any) -> list[JsonOrient]:
    """Return the layouts that a document may have, by its first values."""
    if isinstance(document, list):
        fitting = {JsonOrient.RECORDS: dict, JsonOrient.VALUES: list}
        return [orient for orient, kind in fitting.items() if not document or isinstance(document[0], kind)]
    return _orients_of_object(document) if isinstance(document, dict) else []


def _orients_of_object(document: Record) -> list[JsonOrient]:
    if set(document) - {INDEX} == {"columns", "data"} and isinstance(document["data"], list):
        return [JsonOrient.SPLIT]
    if set(document) == {"schema", "data"} and isinstance(document["data"], list):
        return [JsonOrient.TABLE]
    is_nested = bool(document) and all(isinstance(value, dict) for value in document.values())
    return [JsonOrient.COLUMNS, JsonOrient.INDEX] if is_nested else []


def _other_layout(document: Any, wanted: JsonOrient, fitting: Sequence[JsonOrient]) -> MalformedDataError:
    if not fitting:
        return defect_error(Defect.NOT_RECORDS, WHAT, found=kind_of(document), expected=_EXPECTED[wanted])
    names = " or ".join(fitting)
    return defect_error(
        Defect.OTHER_ORIENT,
        "the JSON document has another layout",
        found=f"{kind_of(document)}, as pandas writes for orient {names}",
        expected=_EXPECTED[wanted],
        remedy=Remedy(f"set {{}} to {names}", "dataset.orient"),
    )


def _records(document: list[Any]) -> Iterator[tuple[int, Record]]:
    return ((row, record_of(value, row)) for row, value in enumerate(document, 1))


def _index(document: Record) -> Iterator[tuple[int, Record]]:
    _require_no_repetition(document, "row labels")
    labels = _saying_something(list(document), str)
    for row, value in enumerate(document.values(), 1):
        yield row, _labelled(record_of(value, row), labels, row)


def _columns(document: Record) -> Iterator[tuple[int, Record]]:
    _require_no_repetition(document, "columns")
    require_few_columns(len(document))
    labels = list(next(iter(document.values()), {}))
    for name, values in document.items():
        _require_column(name, values, labels)
    kept = _saying_something(labels, str)
    rows = zip(*(values.values() for values in document.values()), strict=True)
    for row, values in enumerate(rows, 1):
        yield row, _labelled(dict(zip(document, values, strict=True)), kept, row)


def _require_column(name: str, values: Any, labels: list[str]) -> None:
    """Require that a column of `columns` has the row labels of the first one, in their order."""
    shown = as_unicode(name)
    if not isinstance(values, dict):
        expected = "an object of values by row labels"
        raise defect_error(Defect.NOT_RECORDS, WHAT, column=shown, found=kind_of(values), expected=expected)
    if isinstance(values, FaultyRecord):
        row = [as_unicode(label) for label in values].index(values.column) + 1
        expected = "row labels once, and numbers, texts, true, false or null"
        raise defect_error(Defect.INVALID_JSON, WHAT, row=row, column=shown, found=values.found, expected=expected)
    if list(values) != labels:
        found = f"{len(values):,} row labels"
        raise defect_error(
            Defect.RAGGED_ROW,
            "a column has other rows than the first column",
            column=shown,
            found=found if len(values) != len(labels) else f"{found} of other names or in another order",
            expected=f"the {len(labels):,} row labels of the first column, in its order",
        )


def _values(document: list[Any]) -> Iterator[tuple[int, Record]]:
    width = len(document[0]) if document and isinstance(document[0], list) else 0
    require_few_columns(width)
    names = [f"column_{number}" for number in range(1, width + 1)]
    return _rows(document, names, [])


def _split(document: Record) -> Iterator[tuple[int, Record]]:
    _require_no_repetition(document, "parts")
    names, rows = _names(document["columns"]), document["data"]
    labels = document.get(INDEX, list(range(len(rows))))
    if not isinstance(labels, list) or len(labels) != len(rows):
        found = f"{len(labels):,} labels" if isinstance(labels, list) else kind_of(labels)
        what, expected = "the index does not fit the rows", f"an array of {len(rows):,} labels, one for each row"
        raise defect_error(Defect.RAGGED_ROW, what, found=found, expected=expected)
    return _rows(rows, names, _saying_something(labels, int))


def _names(given: Any) -> list[str]:
    """Return names of columns; whole numbers are names as JSON writes them."""
    expected = "an array of names, each a text or a whole number"
    if not isinstance(given, list):
        raise defect_error(Defect.NOT_RECORDS, WHAT, found=kind_of(given), expected=expected)
    for number, name in enumerate(given, 1):
        if type(name) not in {str, int}:
            what, found = "a column's name is not a text", kind_of(name)
            raise defect_error(Defect.UNNAMED_COLUMN, what, column=str(number), found=found, expected=expected)
    require_few_columns(len(given))
    names = [str(name) for name in given]
    require_unique([as_unicode(name) for name in names])
    return names


def _rows(rows: list[Any], names: list[str], labels: list[Any]) -> Iterator[tuple[int, Record]]:
    """Return records of rows that are arrays of one length."""
    for row, values in enumerate(rows, 1):
        if not isinstance(values, list):
            raise defect_error(Defect.NOT_RECORDS, WHAT, row=row, found=kind_of(values), expected="an array")
        if len(values) != len(names):
            what, found = "a row has another number of values than there are columns", f"{len(values):,} values"
            raise defect_error(Defect.RAGGED_ROW, what, row=row, found=found, expected=f"{len(names):,} values")
        yield row, _labelled(dict(zip(names, values, strict=True)), labels, row)


def _table(document: Record) -> Iterator[tuple[int, Record]]:
    _require_no_repetition(document, "parts")
    types, key = _declared(document["schema"])
    rows = [record_of(value, row) for row, value in enumerate(document["data"], 1)]
    for row, record in enumerate(rows, 1):
        _require_declared(record, types, row)
    counts = key == [INDEX] and not _saying_something([record.get(INDEX) for record in rows], int)
    names = [name for name in types if not (counts and name == INDEX)]
    return ((row, {name: record[name] for name in names}) for row, record in enumerate(rows, 1))


def _declared(schema: Any) -> tuple[dict[str, str], Any]:
    """Return the types of the columns by name, and the columns that label the rows."""
    fields = schema.get("fields") if isinstance(schema, dict) else None
    if not isinstance(fields, list) or not all(isinstance(each, dict) and "name" in each for each in fields):
        expected = "a schema whose fields are objects with name and type"
        raise defect_error(Defect.NOT_RECORDS, WHAT, found=f"schema is {kind_of(schema)}", expected=expected)
    for part in (schema, *fields):
        _require_no_repetition(part, "parts of the schema")
    names = _names([each["name"] for each in fields])
    return {name: str(each.get("type")) for name, each in zip(names, fields, strict=True)}, schema.get("primaryKey")


_DECLARED: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {"integer": (int,), "number": (int, float), "boolean": (bool,), "datetime": (str,)}
)
"""What pandas calls `string` may hold anything."""


def _require_declared(record: Record, types: Mapping[str, str], row: int) -> None:
    """Require the columns of the schema, and values of their types; a type that is not listed says nothing."""
    if record.keys() != types.keys():
        odd = next(iter(sorted(record.keys() ^ types.keys())))
        found = "a column that the schema lacks" if odd in record else "no value"
        what, expected = "a row has other columns than the schema", "a value or null for each column of the schema"
        raise defect_error(Defect.RAGGED_ROW, what, row=row, column=as_unicode(odd), found=found, expected=expected)
    for name, value in record.items():
        fitting = _DECLARED.get(types[name])
        if value is not None and fitting is not None and type(value) not in {*fitting, list, dict}:
            what, expected = "a value has another type than the schema says", f"type {types[name]}"
            column, found = as_unicode(name), kind_of(value)
            raise defect_error(Defect.MIXED_TYPES, what, row=row, column=column, found=found, expected=expected)


def _saying_something(labels: list[Any], kind: type[int] | type[str]) -> list[Any]:
    """Return row labels, or none where they only count the rows from 0, as numbers or as texts of them."""
    counts = all(type(label) is kind and label == kind(number) for number, label in enumerate(labels))
    return [] if counts else labels


def _labelled(record: Record, labels: list[Any], row: int) -> Record:
    if not labels:
        return record
    if INDEX in record:
        what, expected = "the labels of the rows have the name of a column", "a column of another name"
        raise defect_error(Defect.REPEATED_COLUMN, what, row=row, column=INDEX, found=INDEX, expected=expected)
    return {INDEX: labels[row - 1], **record}


def _require_no_repetition(document: Record, what: str) -> None:
    if isinstance(document, FaultyRecord):
        raise defect_error(
            Defect.INVALID_JSON, WHAT, column=document.column, found=document.found, expected=f"{what} once"
        )


_READERS: Mapping[JsonOrient, Callable[[Any], Iterator[tuple[int, Record]]]] = MappingProxyType(
    {
        JsonOrient.RECORDS: _records,
        JsonOrient.SPLIT: _split,
        JsonOrient.INDEX: _index,
        JsonOrient.COLUMNS: _columns,
        JsonOrient.VALUES: _values,
        JsonOrient.TABLE: _table,
    }
)
