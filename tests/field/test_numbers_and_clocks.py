"""Numbers that no model takes, clocks that only grow, and models that are worse than a constant."""

import json
import math
import random

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from small_platform import BANK, bank_rows, failure, write_csv

from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.frames import feature_frame
from assay.data.schema import ColumnSchema, TableSchema, infer_schema
from assay.errors import DataContractError
from assay.gate.gate import run_gate
from assay.learning.estimators.assembly import limited_threads
from assay.learning.preprocessing.assembly import build_preprocessor
from assay.learning.preprocessing.transformers import CalendarFeatures
from assay.promotion.champion import ChampionRecord
from assay.specs import PipelineSpec
from assay.specs.dataset import ColumnRole
from assay.specs.preprocessing import PreprocessingSpec

ROWS = 60


def judged(number, **validation):
    document = {"name": "demo", "task": "regression", "dataset": {"source": "rows.csv", "target": "y"}}
    spec = PipelineSpec.model_validate_json(json.dumps({**document, "validation": validation}))
    draw = random.Random(1)
    values = [draw.random() for _ in range(ROWS)]
    values[7] = number
    table = pa.table({"x": values, "y": [draw.random() for _ in range(ROWS)]})
    dataset = Dataset(table, infer_schema(table, spec.dataset), fingerprint(table))
    return run_gate(dataset, spec, where="demo")


@pytest.mark.parametrize("number", [math.inf, -math.inf, 1e308, -1e308])
def test_the_gate_reports_an_infinity_without_being_asked(number):
    verdict = judged(number)
    assert "features_finite" in verdict.report.warned_rules
    (row,) = next(rule for rule in verdict.report.rules if rule.name == "features_finite").failures
    assert (row.column, row.count, row.row_numbers) == ("x", 1, (7,))
    assert "nan" not in row.model_dump_json().lower()
    assert judged(number, block=["features_finite"]).receipt.failed_rules == ("features_finite",)


@pytest.mark.parametrize("number", [math.nan, 3e38, -3e38])
def test_missing_and_large_numbers_pass(number):
    assert judged(number, block=["features_finite"]).accepted is not None


@pytest.mark.parametrize("number", [math.inf, -math.inf, 1e308, -1e308])
def test_every_family_is_refused_the_same_numbers(number):
    """Outcomes depended on family and split: a raw ValueError in evaluation, or silence. No family sees the rows now."""
    features = TableSchema(version=1, columns=(ColumnSchema(name="x", dtype="double", role=ColumnRole.NUMERIC),))
    with pytest.raises(DataContractError, match="no model can learn from") as caught:
        feature_frame(pa.table({"x": [0.5, number]}), features)
    assert caught.value.found == f"{number:g} in row 2; 1 of 2 rows"
    assert "nan" not in str(caught.value).lower()


AT = TableSchema(version=1, columns=(ColumnSchema(name="at", dtype="timestamp[us]", role=ColumnRole.DATETIME),))


def rmse_after(transformer, frame, target, seen):
    from sklearn.ensemble import HistGradientBoostingRegressor

    made = transformer.fit(frame[:seen])
    with limited_threads(1):  # of few rows, threads that wait for each other cost more than they compute
        model = HistGradientBoostingRegressor(random_state=0, max_iter=40)
        model.fit(made.transform(frame[:seen]), target[:seen])
        return math.sqrt(np.mean((model.predict(made.transform(frame[seen:])) - target[seen:]) ** 2))


def test_trees_get_no_clock_that_grows_for_ever():
    """All later months fell into the last leaf of `elapsed_days`: rmse 35.3 with it, 3.9 without."""
    seen, days = 900, np.arange(930)
    frame = pd.DataFrame({"at": pd.Timestamp("2022-01-01") + pd.to_timedelta(days, unit="D")})
    unusual = (days >= 870) & (days < seen)  # the last month before the holdout
    target = 10.0 * (frame["at"].dt.weekday >= 5).to_numpy() + 35 * unusual + np.random.default_rng(3).normal(size=930)
    trees = build_preprocessor(AT, PreprocessingSpec(), "ordinal", dense=True)
    assert rmse_after(trees, frame, target, seen) < rmse_after(CalendarFeatures(), frame, target, seen) / 2
    names = trees.get_feature_names_out()
    assert not [name for name in names if name.endswith(("_year", "_elapsed_days"))]
    linear = build_preprocessor(AT, PreprocessingSpec(), "one_hot").fit(frame)
    assert any(name.endswith("_elapsed_days") for name in linear.get_feature_names_out())


@pytest.mark.full
def test_a_model_worse_than_the_constant_baseline_does_not_become_champion(platform, tmp_path):
    """A model with an rmse of 39.2 against 11.3 of the baseline became the first champion."""
    draw = random.Random(5)
    forest = "[random_forest], hyperparameters: {{n_estimators: 3}}"
    text = BANK.replace("[logistic_regression]", forest).replace("n_trials: 3, folds: 2", "enabled: false")
    text += "evaluation: {{primary_metric: log_loss}}\n"  # a forest is sure of labels that nothing predicts
    rows = [{**row, "y": draw.choice(["yes", "no"])} for row in bank_rows()]
    platform.pipeline(text, write_csv(tmp_path / "data" / "bank.csv", rows))
    result = platform.materialize("bank/*")
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    baseline = checks["better_than_baseline"]
    assert not baseline.passed
    assert baseline.severity.value == "ERROR"
    assert "of the baseline, which ignores the features; change the features or the model" in baseline.description
    assert "champion_model" not in {each.step_key for each in result.all_events if each.is_step_success}
    refused = platform.materialize("bank/champion_model")
    assert refused.success, failure(refused)
    record = platform.artifacts.load(("bank", "champion_model"), None, ChampionRecord)
    assert (record.version, record.decision.verdict) == (None, "rejected_below_baseline")
