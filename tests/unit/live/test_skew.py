"""Served rows that are predicted again as a batch, and what is watched of them."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from prediction_cases import fitted, user_rows
from served_rows import START, served

from assay.data.row_identity import row_hashes
from assay.live.served_drift import newest_day
from assay.live.skew import check_skew
from assay.prediction.predictor import Predictor


@pytest.fixture(scope="module", params=["binary_classification", "regression"])
def predictor(request):
    return Predictor(fitted(request.param, "ridge" if request.param == "regression" else "logistic_regression"))


def log_of(predictor, change=None):
    """Return the log of some rows, with the values that the model read."""
    rows = predictor.read(user_rows())
    made = predictor.table(rows)
    shares = {name.removeprefix("probability_"): made.column(name) for name in made.column_names[1:]}
    numbers = predictor.model.manifest.task == "regression"
    labels = made.column("prediction").to_pylist()
    facts = {"value": labels} if numbers else {"label": [str(label) for label in labels]}
    digests = [f"{each:016x}" for each in row_hashes(rows, rows.column_names, "loans").tolist()]
    ids = [f"r{number}" for number in range(rows.num_rows)]
    log = served(ids, version="3", shares=shares, features=digests, **facts)
    for name in rows.column_names:
        log = log.append_column(name, rows.column(name))
    return log if change is None else change(log)


def replaced(log, name, values):
    return log.set_column(
        log.column_names.index(name), log.schema.field(name), pa.array(values, log.schema.field(name).type)
    )


def test_the_same_rows_give_the_same_predictions(predictor):
    found = check_skew(log_of(predictor), "3", predictor)
    assert (found.rows, found.differing, found.reason, found.passed) == (len(user_rows()), 0, "", True)


def test_a_difference_names_row_and_column(predictor):
    numbers = predictor.model.manifest.task == "regression"
    name = "log_value" if numbers else "log_probability_True"
    log = log_of(predictor)
    name = next(
        each
        for each in (name, *(c for c in log.column_names if c.startswith("log_probability_")))
        if each in log.column_names
    )
    values = log.column(name).to_pylist()
    values[4] += 1e-6
    found = check_skew(replaced(log, name, values), "3", predictor)
    assert (found.differing, found.passed) == (1, False)
    assert found.first.startswith("row 1 of request r4: pr")
    values[4] -= 1e-6 - 1e-12
    assert check_skew(replaced(log, name, values), "3", predictor).passed


def test_other_values_than_those_that_were_served_are_a_difference(predictor):
    log = log_of(predictor)
    sizes = np.array(log.column("size").to_pylist())
    sizes[:3] += 30.0
    found = check_skew(replaced(log, "size", sizes.tolist()), "3", predictor)
    assert found.differing == 3


def test_features_that_the_model_did_not_read_are_a_difference(predictor):
    log = log_of(predictor)
    whole = predictor.read(user_rows()).to_pandas().notna().all(axis=1)
    found = check_skew(replaced(log, "log_features", ["f" * 16] * log.num_rows), "3", predictor)
    assert 0 < found.differing == whole.sum() < log.num_rows
    assert "digest of the features" in found.first


def test_without_values_nothing_is_compared(predictor):
    log = log_of(predictor).drop_columns(["size"])
    found = check_skew(log, "3", predictor)
    assert (found.rows, found.passed) == (0, True)
    assert "the log has no values of size" in found.reason


def test_a_version_is_compared_by_its_own_rows(predictor):
    assert check_skew(log_of(predictor), "4", predictor).reason == "no rows"


def test_the_newest_day_is_of_the_version_that_answered():
    times = [START, START + dt.timedelta(days=1), START + dt.timedelta(days=1, hours=3), START + dt.timedelta(days=2)]
    log = served("abcd", time=times, version=["3", "3", "3", "7"])
    day, rows = newest_day(log, "3")
    assert (day, rows.column("log_request_id").to_pylist()) == ("2026-03-02", ["b", "c"])
    shadow = served("e", time=START + dt.timedelta(days=5), shadow=True)
    assert newest_day(pa.concat_tables([log, shadow]), "3")[0] == "2026-03-02"
    assert newest_day(log, "9")[0] == ""
