"""When what was served is judged by itself: labels once a day, and the performance after each reading of them."""

import datetime as dt

import dagster as dg
import pytest

from assay.specs import PipelineSpec
from ml_assets.pipeline.automation import once_a_day, when_updated

SPEC = PipelineSpec.model_validate_json(
    '{"name": "p", "task": "regression", "dataset": {"source": "x.csv", "target": "y"}}'
)
LABELS, PERFORMANCE = dg.AssetKey(["p", "served_labels"]), dg.AssetKey(["p", "live_performance"])
MIDDAY = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


@dg.asset(key=LABELS, automation_condition=once_a_day())
def served_labels():
    return None


@dg.asset(key=PERFORMANCE, deps=[LABELS], automation_condition=when_updated(SPEC, "served_labels"))
def live_performance():
    return None


@pytest.fixture
def requested(instance):
    """Return a function that evaluates the conditions some hours later, and gives what they request."""
    cursor = None

    def evaluate(hours):
        nonlocal cursor
        found = dg.evaluate_automation_conditions(
            dg.Definitions([served_labels, live_performance]),
            instance,
            cursor=cursor,
            evaluation_time=MIDDAY + dt.timedelta(hours=hours),
        )
        cursor = found.cursor
        return [each.key for each in found.results if found.get_num_requested(each.key)]

    return evaluate


def test_labels_are_read_once_a_day_and_the_performance_follows(requested, instance):
    assert requested(0) == []
    assert requested(12) == []
    assert requested(16) == [LABELS]
    assert requested(17) == []
    instance.report_runless_asset_event(dg.AssetMaterialization(LABELS))
    assert requested(18) == [PERFORMANCE]
    assert requested(19) == []
    assert requested(40) == [LABELS]
