"""Python rows to one Arrow file: exact types over all rows, or a refusal by row and column."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import MalformedDataError
from assay.reading.defects import require_unique
from assay.reading.files import mapped_table
from resources.sources.row_spool import RowSpool, rows_per_batch

UTC = dt.UTC


def spooled(folder, *batches):
    """Return the one column of rows given in batches."""
    spool = RowSpool(["x"], "sql://shop", folder / "rows.arrow")
    for batch in batches:
        spool.append([(value,) for value in batch])
    return mapped_table(spool.finish()).column("x")


@pytest.mark.parametrize(
    ("batches", "dtype"),
    [
        (([1, None], [2]), pa.int64()),
        (([None], [None]), pa.null()),
        (([None], [True]), pa.bool_()),
        (([1, 2**53], [0.5]), pa.float64()),
        (([0.5], [1, -(2**53)]), pa.float64()),
        (([1, 0.5],), pa.float64()),
        (([Decimal("1.5")], [Decimal("10.25"), None]), pa.decimal128(38, 2)),
        (([10], [Decimal("1.25")]), pa.decimal128(38, 2)),
        (([Decimal("1.25")], [10]), pa.decimal128(38, 2)),
        (([2**63 - 1], [Decimal("0." + "1" * 19)]), pa.decimal128(38, 19)),
        (([dt.date(2024, 1, 1)], [None]), pa.date32()),
        (([dt.datetime.fromisoformat("2024-01-01T00:00")], [None]), pa.timestamp("us")),
        (([dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))],), pa.timestamp("us", "UTC")),
        (([dt.timedelta(seconds=1)],), pa.duration("us")),
        ((["a"], [None]), pa.string()),
    ],
)
def test_every_value_stays_equal_under_one_dtype(tmp_path, batches, dtype):
    column = spooled(tmp_path, *batches)
    assert column.type == dtype
    assert column.to_pylist() == [value for batch in batches for value in batch]


numbers = st.integers(-(2**53), 2**53) | st.none() | st.floats(allow_nan=False)


@given(st.lists(st.lists(numbers, min_size=1, max_size=5), min_size=1, max_size=5))
def test_numbers_stay_equal_however_they_are_cut_into_batches(tmp_path_factory, batches):
    column = spooled(tmp_path_factory.mktemp("spool"), *batches)
    assert column.to_pylist() == [value for batch in batches for value in batch]


@pytest.mark.parametrize(
    ("batches", "row", "defect"),
    [
        (([1, "a"],), 2, "mixed_types"),
        ((["a"], [None, 1]), 3, "mixed_types"),
        (([True], [1]), 2, "mixed_types"),
        (([0.5], [Decimal("0.5")]), 2, "mixed_types"),
        (([2**53 + 1], [None, 0.5]), 3, "mixed_types"),
        (([0.5], [1, 2**53 + 1]), 3, "value_out_of_range"),
        (([0.5, 2**53 + 1],), 2, "value_out_of_range"),
        (([1, 2**63],), 2, "value_out_of_range"),
        (([Decimal(1)], [None, Decimal("NaN")]), 3, "value_out_of_range"),
        (([Decimal("1e30")], [Decimal("1e-20")]), 2, "value_out_of_range"),
        ((["a", "\ud800"],), 2, "value_out_of_range"),
        (([dt.date(2024, 1, 1)], [dt.datetime(2024, 1, 1, tzinfo=UTC)]), 2, "mixed_types"),
        (([dt.datetime.fromisoformat("2024-01-01"), dt.datetime(2024, 1, 1, tzinfo=UTC)],), 2, "mixed_types"),
        (([1, b"a"],), 2, "unreadable"),
        (([None, [1]],), 2, "nested_values"),
        (([{"a": 1}],), 1, "nested_values"),
        (([dt.time(1, tzinfo=UTC)],), 1, "unreadable"),
    ],
)
def test_a_value_that_no_type_holds_exactly_is_refused_by_row(tmp_path, batches, row, defect):
    with pytest.raises(MalformedDataError) as caught:
        spooled(tmp_path, *batches)
    assert (caught.value.defect, caught.value.location.row, caught.value.location.column) == (defect, row, "x")
    assert caught.value.where == f"sql://shop, row {row}, column 'x'"


def test_no_rows_are_a_table_without_dtypes(tmp_path):
    assert spooled(tmp_path).type == pa.null()


def test_one_file_is_left(tmp_path):
    spooled(tmp_path, [None], [1], [0.5], [None])
    assert [path.name for path in tmp_path.iterdir()] == ["rows.arrow"]


def test_names_count_once():
    require_unique(["a", "A"], name="sql://shop")
    with pytest.raises(MalformedDataError) as caught:
        require_unique(["a", "b", "a"], name="sql://shop")
    assert caught.value.location.column == "a"


def test_a_batch_is_smaller_the_wider_its_rows():
    assert [rows_per_batch(columns) for columns in (1, 20, 100, 5_000_000)] == [50_000, 50_000, 10_000, 1]
