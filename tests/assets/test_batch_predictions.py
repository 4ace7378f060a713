"""The gate on both sides of batch predictions: what is refused, what the checks say, and that the last good ones stay."""

import pandas as pd
import pytest
from prediction_cases import user_rows
from small_platform import failure

from assay.data.dataset import Dataset
from ml_assets.pipeline.automation import champion_changes_key

RENTS = """\
name: rents
task: regression
dataset:
  source: {source}
  target: rent
  columns: {{id: {{role: identifier}}}}
validation:
  ranges: {{size: {{min: 0}}, rent: {{min: 0}}}}
  expressions: {{sane: "rent < 100000", whole: "rooms < 50"}}
  sentinel: {{enabled: false}}
model: {{candidates: [ridge]}}
tuning: {{enabled: false}}
scoring: {{source: SCORED}}
"""


def _promote(prepared):
    folder = prepared.settings.pipelines_dir.parent / "data"
    folder.mkdir(exist_ok=True)
    user_rows().to_csv(folder / "rents.csv", index=False)
    user_rows().drop(columns="rent").to_csv(folder / "new.csv", index=False)
    prepared.pipeline(RENTS.replace("SCORED", "data/new.csv"), "data/rents.csv")
    result = prepared.materialize("rents/*")
    assert result.success, failure(result)


@pytest.fixture
def rents(copied):
    with copied("rents", _promote) as platform:
        yield platform


def predicted(platform):
    artifacts = platform.artifacts
    commit = artifacts.log.newest(("rents", "batch_predictions"), None)
    return commit.number, artifacts.read(commit, Dataset).table


def made_again(platform, rows, checks=""):
    rows.to_csv(platform.settings.pipelines_dir.parent / "data" / "new.csv", index=False)
    if checks:
        platform.pipeline(RENTS.replace("SCORED}}", f"data/new.csv, checks: {{{{{checks}}}}}}}}}"), "data/rents.csv")
    result = platform.materialize("rents/batch_predictions")
    found = {each.check_name: each for each in result.get_asset_check_evaluations()}
    return result, found


def test_a_promotion_is_recorded_once_for_predictions_to_follow(rents):
    [event] = rents.instance.fetch_materializations(champion_changes_key("rents"), limit=3).records
    assert event.asset_materialization.metadata["decision"].value == "promoted"


def test_good_predictions_are_published_with_their_checks(rents):
    number, table = predicted(rents)
    assert table.column_names == ["id", "prediction"]
    assert table.num_rows == len(user_rows())
    result, checks = made_again(rents, user_rows().drop(columns="rent").head(50))
    assert result.success, failure(result)
    assert all(each.passed for each in checks.values())
    assert set(checks) == {
        "rows_to_predict_pass", "predictions_complete", "predictions_finite", "predictions_in_range",
        "predictions_as_holdout", "fallbacks_below_maximum",
    }  # fmt: skip
    assert checks["predictions_complete"].metadata["rows"].value == 50
    assert predicted(rents)[0] == number + 1


def test_rows_that_a_rule_refuses_leave_the_last_predictions(rents):
    before = predicted(rents)
    result, checks = made_again(rents, user_rows().drop(columns="rent").assign(size=-99_999_999.0))
    assert not result.success
    assert "values_in_range" in failure(result)
    assert not checks["rows_to_predict_pass"].passed
    assert predicted(rents) == before


def test_predictions_beyond_all_reason_leave_the_last_predictions(rents):
    before = predicted(rents)
    result, checks = made_again(rents, user_rows().drop(columns="rent").assign(size=99_999_999.0))
    assert not result.success
    assert "predictions_in_range" in failure(result)
    assert not checks["predictions_in_range"].passed
    assert checks["predictions_in_range"].metadata["rows"].value == len(user_rows())
    assert predicted(rents) == before


def test_checks_may_warn(rents):
    number, _ = predicted(rents)
    rows = user_rows().drop(columns="rent").assign(size=9999.0)
    result, checks = made_again(rents, rows, checks="severity: warn")
    assert result.success, failure(result)
    assert not checks["predictions_in_range"].passed
    assert predicted(rents)[0] == number + 1


def test_the_shape_of_rows_is_that_of_the_frozen_schema(rents):
    before = predicted(rents)
    result, _ = made_again(rents, pd.DataFrame({"id": ["x"], "rooms": [1]}))
    assert not result.success
    assert predicted(rents) == before
