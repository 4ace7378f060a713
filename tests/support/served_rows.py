"""Rows of a prediction log, as the endpoint writes them."""

import datetime as dt

import pyarrow as pa

from assay.serving.prediction_log import LOG_SCHEMA, PROBABILITY

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def served(requests, *, columns=None, shares=None, **facts):
    """Return one row for each request; `facts` are values for all rows, or one for each.

    Args:
        requests: ids; a pair is an id and the number of the row.
        columns: further columns by name.
        shares: probabilities by class.
        facts: columns of the log without their prefix, such as `version`.
    """
    ids = [each if isinstance(each, tuple) else (each, 1) for each in requests]
    rows = len(ids)
    found = {
        "time": START,
        "pipeline": "loans",
        "version": "3",
        "arm": "champion",
        "shadow": False,
        "experiment": "",
        "share": None,
        "key": None,
        "features": "0" * 16,
        "label": None,
        "value": None,
        "latency_ms": None,
    } | facts
    values = {"request_id": [each for each, _ in ids], "row": [row for _, row in ids]}
    values |= {name: value if isinstance(value, list) else [value] * rows for name, value in found.items()}
    arrays = {field.name: pa.array(values[field.name.removeprefix("log_")], field.type) for field in LOG_SCHEMA}
    further = {f"{PROBABILITY}{name}": pa.array(each, pa.float64()) for name, each in (shares or {}).items()}
    return pa.table({**arrays, **further, **{name: pa.array(each) for name, each in (columns or {}).items()}})
