"""Rows of one value of a column, of a source that holds those of several pipelines."""

import json

import pyarrow as pa
import pytest

from assay.data.source_rows import source_rows
from assay.errors import DataContractError, EmptyDataError, MissingColumnError
from assay.specs.dataset import DatasetSpec

ROWS = pa.table(
    {"region": ["north", "south", "north", None, "overseas"], "number": [1, 2, 1, 3, 1], "y": [0.5, 1.5, 2.5, 3.5, 4.5]}
)


def rows_of(value, column="region", among=("north", "south"), **options):
    segment = {"column": column, "value": value, "among": list(among)}
    spec = DatasetSpec.model_validate_json(json.dumps({"source": "a.csv", "target": "y", "segment": segment}))
    return source_rows(ROWS, spec, **options).partition(None, where="loans")


def test_only_the_rows_of_the_value_are_taken_and_those_of_none_are_counted():
    dataset = rows_of("north")

    assert dataset.table["y"].to_pylist() == [0.5, 2.5]
    assert dataset.notes == {"rows": "2 of the 2 rows read", "rows in no segment": "2"}


def test_a_number_selects_numbers():
    assert rows_of(1, "number", among=(1, 2, 3)).table["y"].to_pylist() == [0.5, 2.5, 4.5]


def test_rows_without_a_target_are_selected_alike():
    assert rows_of("south", labelled=False).table["y"].to_pylist() == [1.5]


@pytest.mark.parametrize(
    ("value", "column", "error", "text"),
    [
        ("west", "region", EmptyDataError, "5 rows without region = 'west'"),
        ("north", "regoin", MissingColumnError, "did you mean 'region'"),
        (1, "region", DataContractError, "1, and region of dtype string"),
        ("1", "number", DataContractError, "'1', and number of dtype int64"),
    ],
)
def test_a_value_that_selects_nothing_is_refused(value, column, error, text):
    with pytest.raises(error) as refused:
        rows_of(value, column, among=(value,))

    assert text in str(refused.value)
