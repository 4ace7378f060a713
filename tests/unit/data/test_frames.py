import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.frames import feature_frame, target_series
from assay.data.schema import ColumnSchema, TableSchema
from assay.errors import DataContractError, MissingColumnError
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import Task


def schema(**roles):
    columns = tuple(ColumnSchema(name=name, dtype="any", role=ColumnRole(role)) for name, role in roles.items())
    return TableSchema(version=1, columns=columns)


@pytest.mark.parametrize(
    "values",
    [pa.array([1, None]), pa.array([1.0, None]), pa.array(["1", None]), pa.array(["1", None]).dictionary_encode()],
)
def test_numbers_become_float64_with_nan(values):
    frame = feature_frame(pa.table({"x": values}), schema(x="numeric"))
    assert frame["x"].dtype == np.float64
    np.testing.assert_array_equal(frame["x"], [1.0, np.nan])


def test_booleans_become_float64_with_nan():
    frame = feature_frame(pa.table({"x": [True, False, None]}), schema(x="boolean"))
    np.testing.assert_array_equal(frame["x"], [1.0, 0.0, np.nan])


@pytest.mark.parametrize("kind", [pa.timestamp("ns"), pa.timestamp("s", tz="Europe/Berlin"), pa.date32()])
def test_moments_become_microseconds_with_nat(kind):
    values = pa.array([dt.datetime(2024, 1, 2, tzinfo=dt.UTC), None], pa.timestamp("us", tz="UTC"))
    values = values.cast(kind) if getattr(kind, "tz", None) else values.cast(pa.timestamp("us")).cast(kind)
    frame = feature_frame(pa.table({"x": values}), schema(x="datetime"))
    assert frame["x"].dtype == "datetime64[us]"
    assert frame["x"][0] == pd.Timestamp("2024-01-02")
    assert frame["x"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array(["a", None]), ["a", None]),
        (pa.array(["a", None]).dictionary_encode(), ["a", None]),
        (pa.array([7, None]), ["7", None]),
        (pa.array([7.0, float("nan")]), ["7", None]),
        (pa.array([True, None]), ["true", None]),
        (pa.array([None, None]), [None, None]),
    ],
)
def test_categories_become_text_with_none(values, expected):
    frame = feature_frame(pa.table({"x": values}), schema(x="categorical"))
    assert frame["x"].dtype == object
    assert frame["x"].tolist() == expected


def test_a_missing_text_becomes_empty():
    frame = feature_frame(pa.table({"x": ["a b", None]}), schema(x="text"))
    assert frame["x"].tolist() == ["a b", ""]


def test_columns_come_in_the_order_of_the_features_and_others_are_left_out():
    table = pa.table({"a": [1], "b": [2], "c": [3]})
    assert feature_frame(table, schema(c="numeric", a="numeric")).columns.tolist() == ["c", "a"]


def test_a_missing_feature_is_named():
    with pytest.raises(MissingColumnError, match="no column 'age'; did you mean 'aged'"):
        feature_frame(pa.table({"aged": [1]}), schema(age="numeric"))


def test_text_in_a_numeric_column_is_refused_with_the_column():
    with pytest.raises(DataContractError, match="'x' cannot be read as numeric"):
        feature_frame(pa.table({"x": ["one"]}), schema(x="numeric"))


@given(st.lists(st.one_of(st.none(), st.integers(-(2**53), 2**53)), min_size=1), st.integers(1, 5))
def test_a_frame_does_not_depend_on_the_chunks_of_the_table(values, size):
    whole = pa.table({"x": pa.array(values, pa.int64())})
    chunked = pa.Table.from_batches(whole.to_batches(max_chunksize=size), whole.schema)
    pd.testing.assert_frame_equal(
        feature_frame(whole, schema(x="numeric")), feature_frame(chunked, schema(x="numeric"))
    )


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [(["b", "a"], object, ["b", "a"]), ([True, False], bool, [True, False]), ([2.0, 1.0], np.int64, [2, 1])],
)
def test_labels_stay_as_they_are(values, dtype, expected):
    target = target_series(pa.table({"y": values}), "y", Task.BINARY)
    assert target.dtype == dtype
    assert target.tolist() == expected


def test_a_number_to_predict_is_float64():
    assert target_series(pa.table({"y": [1, 2]}), "y", Task.REGRESSION).dtype == np.float64


@pytest.mark.parametrize(
    ("values", "task", "what"),
    [
        ([1, None], Task.BINARY, "missing in some rows"),
        ([1.0, float("nan")], Task.REGRESSION, "missing in some rows"),
        ([1.0, float("inf")], Task.REGRESSION, "infinite"),
        (["a", "b"], Task.REGRESSION, "not numeric"),
        ([0.5, 1.0], Task.BINARY, "fraction"),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(values, task, what):
    with pytest.raises(DataContractError, match=what):
        target_series(pa.table({"y": values}), "y", task)
