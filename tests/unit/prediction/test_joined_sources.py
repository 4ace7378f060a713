"""A model of joined sources: it carries what does not change with time, and takes the columns of what does."""

import json

import pandas as pd
import pyarrow as pa
import pytest
from prediction_cases import Kept, model_of, spec_of, user_rows

from assay.data.source_rows import source_rows
from assay.errors import MissingColumnError
from assay.prediction.predictor import Predictor
from assay.results.trained_model import ModelManifest
from assay.specs import PipelineSpec

AREAS = pa.table({"area": ["north", "south"], "income": [30.0, 45.0]})
RATES = pa.table({"at": pd.to_datetime(["2023-01-01", "2024-06-01"]).astype("datetime64[us]"), "rate": [2.0, 4.0]})
LOOKUP = {"join": {"table": "areas", "source": "s3://secret@areas.csv", "on": ["area"]}}
AS_OF = {"join": {"table": "rates", "source": "rates.csv", "as_of": {"left": "seen", "right": "at"}}}
DERIVED = {"derive": {"per_income": "size / income"}}
TARGET = {"derive": {"dear": "rent > 900"}}


def predictor(*steps, pipeline=None):
    """A model of these steps, its manifest as it is stored, and the feature set that it was fitted on."""
    document = json.loads((pipeline or spec_of()).model_dump_json()) | {"features": {"steps": list(steps)}}
    spec = PipelineSpec.model_validate_json(json.dumps(document))
    tables = {"areas": AREAS, "rates": RATES}
    joined = {}
    for join in spec.features.joins:
        kept = Kept()
        rows = source_rows(tables[join.table], join.dataset, kept).partition(None, where="test")
        joined[join.table] = (rows, kept.schema)
    model, made = model_of(spec, joined=joined)
    text = model.manifest.model_dump_json()
    if model.manifest.intake is None:
        return Predictor(model), made
    assert "secret" not in ModelManifest.model_validate_json(text).intake.model_dump_json()
    return Predictor(model.taking(ModelManifest.model_validate_json(text).intake)), made


def test_a_look_up_table_travels_with_the_model():
    found, made = predictor(LOOKUP, DERIVED, TARGET)
    rows = user_rows()
    as_fitted = Predictor(found.model.taking(None)).predict(made.table)
    pd.testing.assert_frame_equal(found.predict(rows), as_fitted, check_index_type=False)
    assert "income" not in found.intake.required


def test_the_rows_to_predict_have_what_changes_with_time():
    found, made = predictor(AS_OF, {"derive": {"dearer": "rate * rooms"}}, TARGET)
    rows = user_rows()
    assert "rate" in found.intake.required
    with pytest.raises(MissingColumnError, match="'rate'"):
        found.predict(rows)
    given = rows.assign(rate=made.table.column("rate").to_pylist())
    as_fitted = Predictor(found.model.taking(None)).predict(made.table)
    pd.testing.assert_frame_equal(found.predict(given), as_fitted, check_index_type=False)


def test_the_example_has_every_column():
    found, _ = predictor(AS_OF, {"derive": {"dearer": "rate * rooms"}}, TARGET)
    example = list(found.intake.example)
    assert set(example[0]) == {column.name for column in found.intake.columns}
    assert found.predict(example).notna().all(axis=None)


WINDOW = {"aggregate": {"by": ["area"], "time": "seen", "over": "90 days", "columns": {"earlier": "count(*)"}}}


def test_the_rows_to_predict_have_what_is_computed_of_earlier_rows():
    kept = {"select": ["id", "area", "size", "seen", "rent"]}
    found, made = predictor(kept, WINDOW, {"derive": {"busy": "earlier * size"}}, TARGET)
    rows = user_rows()
    assert {"earlier", "size"} <= set(found.intake.required)
    with pytest.raises(MissingColumnError, match="'earlier'"):
        found.predict(rows)
    given = rows.assign(earlier=made.table.column("earlier").to_pylist())
    as_fitted = Predictor(found.model.taking(None)).predict(made.table)
    pd.testing.assert_frame_equal(found.predict(given), as_fitted, check_index_type=False)


def test_a_window_behind_whole_rows_leaves_a_model_of_its_features():
    found, made = predictor({"sql": "select *, size * 2 as double from rows"}, WINDOW, TARGET)
    assert found.model.manifest.intake is None
    assert len(found.predict(made.table)) == made.table.num_rows


def test_steps_may_need_the_last_column_alone():
    """DuckDB was asked what the steps make of a table without any column, and failed after the fit."""
    steps = {"select": ["seen", "rent"]}, {"derive": {"month": "month(seen)"}}
    found, made = predictor(*steps, pipeline=spec_of("regression", "ridge"))
    assert found.intake.required == ("seen",)
    as_fitted = Predictor(found.model.taking(None)).predict(made.table)
    pd.testing.assert_frame_equal(found.predict(user_rows()[["seen"]]), as_fitted, check_index_type=False)
