"""Kinds of values that a database's driver returns.

Does not belong here: the dtype of a column over all its rows (`column_kind`).
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

import pyarrow as pa


class Kind(StrEnum):
    """What a value is, by the name that messages use."""

    BOOLEAN = "true/false"
    INTEGER = "whole number"
    FLOAT = "floating-point number"
    DECIMAL = "decimal number"
    TEXT = "text"
    DATE = "date"
    LOCAL = "time without zone"
    MOMENT = "time with zone"
    CLOCK = "time of day"
    SPAN = "duration"


_KINDS: dict[type, Kind] = {
    bool: Kind.BOOLEAN,
    int: Kind.INTEGER,
    float: Kind.FLOAT,
    Decimal: Kind.DECIMAL,
    str: Kind.TEXT,
    uuid.UUID: Kind.TEXT,
    dt.datetime: Kind.LOCAL,
    dt.date: Kind.DATE,
    dt.time: Kind.CLOCK,
    dt.timedelta: Kind.SPAN,
}
DTYPES = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.INTEGER: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.TEXT: pa.string(),
    Kind.DATE: pa.date32(),
    Kind.LOCAL: pa.timestamp("us"),
    Kind.MOMENT: pa.timestamp("us", "UTC"),
    Kind.CLOCK: pa.time64("us"),
    Kind.SPAN: pa.duration("us"),
}
WIDER = {
    frozenset({Kind.INTEGER, Kind.FLOAT}): Kind.FLOAT,
    frozenset({Kind.INTEGER, Kind.DECIMAL}): Kind.DECIMAL,
}
"""What holds the values of two kinds exactly, as far as each value allows."""


def kinds_in(values: Sequence[object]) -> list[Kind | None]:
    """Return the kinds of the values that are there, in the order in which they come first."""
    types = set(map(type, values)) - {type(None)}
    if len(types) > 1 or any(issubclass(kind, dt.datetime | dt.time) for kind in types):
        return list(dict.fromkeys(kind_of(value) for value in values if value is not None))
    return [kind_of(next(value for value in values if value is not None))] if types else []


def kind_of(value: object) -> Kind | None:
    """Return what a value is; None where no table holds it."""
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return Kind.MOMENT
    if isinstance(value, dt.time) and value.tzinfo is not None:
        return None
    return next((_KINDS[kind] for kind in type(value).__mro__ if kind in _KINDS), None)
