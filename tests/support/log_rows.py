"""Rows of a prediction log."""

import datetime as dt

import pyarrow as pa

from assay.serving.prediction_log import ARM, LOG_SCHEMA, REQUEST_ID, ROW, TIME, joined
from resources.prediction_log import keys_of_day, rows_in

NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)


def row(request="a", number=1, arm="champion", minutes=0, **others):
    """Return a row as the endpoint logs it."""
    return {
        REQUEST_ID: request, ROW: number, ARM: arm, TIME: NOON + dt.timedelta(minutes=minutes), "log_pipeline": "loans",
        "log_version": "1", "log_shadow": False, "log_experiment": "", "log_features": "0" * 16, **others,
    }  # fmt: skip


def log_of(*rows):
    return pa.Table.from_pylist(list(rows), schema=LOG_SCHEMA)


def logged_rows(store, pipeline, day):
    """Return the rows of all objects of a day, as they were written."""
    return rows_of_keys(store, keys_of_day(store, pipeline, day))


def rows_of_keys(store, keys):
    """Return the rows of some objects, as they were written."""
    return joined([rows_in(store.get_bytes(key), key) for key in keys])
