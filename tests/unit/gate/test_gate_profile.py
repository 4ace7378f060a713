import datetime as dt

import pyarrow as pa
import pytest

from assay.gate import gate as profile_module

NAN = float("nan")


def test_numbers_are_summed_up_and_nan_is_missing(gate):
    column = gate({"x": [1.0, NAN, None, 4.0]}).report.profile[0]

    assert (column.missing, column.missing_share, column.distinct) == (2, 0.5, 2)
    assert (column.minimum, column.maximum, column.mean) == (1.0, 4.0, 2.5)


def test_whole_numbers_are_summed_up_however_large_and_with_some_missing(gate):
    column = gate({"x": pa.array([2**63 - 1, None, 2**63 - 1, 1])}).report.profile[0]

    assert (column.missing, column.distinct, column.minimum, column.maximum) == (1, 2, 1.0, 2.0**63)
    assert column.mean == pytest.approx(2**64 / 3)


def test_infinite_values_do_not_spoil_the_profile(gate):
    column = gate({"x": [1.0, float("inf"), 1e308, 1e308]}).report.profile[0]

    assert (column.minimum, column.maximum) == (1.0, 1e308)
    assert column.mean is None or column.mean < float("inf")


def test_long_columns_are_counted_in_part_and_say_so(gate, monkeypatch):
    monkeypatch.setattr(profile_module, "_COUNTED_ROWS", 3)

    column = gate({"x": [1, 2, 3, 4, 5]}).report.profile[0]

    assert (column.distinct, column.distinct_is_approximate) == (3, True)


@pytest.mark.parametrize(
    "values",
    [
        pa.nulls(4),
        pa.array([[1]] * 4),
        pa.array([{"a": 1}] * 4),
        pa.array([b"x"] * 4),
        pa.array([dt.timedelta(1)] * 4),
        pa.array(["a"] * 4, pa.string_view()),
        pa.array([2**64 - 1] * 4, pa.uint64()),
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 1]), pa.array(["a", None])),
        pa.array([], pa.float64()),
    ],
)
def test_no_type_of_column_breaks_the_gate(gate, values):
    verdict = gate({"x": values, "y": [row % 2 for row in range(len(values))]}, unique=[["x"]], allowed={"x": ["q"]})

    assert verdict.report.profile[0].name == "x"
    assert verdict.accepted is None
