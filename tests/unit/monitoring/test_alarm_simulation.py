"""How often the drift alarm is wrong, and how soon it is right, at the default bounds.

The champion was trained on several windows, as many as make 2,000 rows or more; 20 features, every third of them
categorical. Windows of 100,000 rows are simulated fewer: at that size noise stays far below the smallest effect that
counts, which the test holds as well.
"""

import numpy as np
import pandas as pd
import pytest

from assay.data.schema import ColumnSchema, TableSchema
from assay.monitoring.drift import DriftReport, compare_features, with_alarm
from assay.specs.dataset import ColumnRole
from assay.specs.operations import DriftSpec

RULE = DriftSpec()
FEATURES = 20
TOP = "f0"
SCHEMA = TableSchema(
    version=1,
    columns=tuple(
        ColumnSchema(name=f"f{n}", dtype="double", role=ColumnRole.CATEGORICAL if n % 3 == 2 else ColumnRole.NUMERIC)
        for n in range(FEATURES)
    ),
)


def window(draw, rows, shift=0.0):
    columns = {
        column.name: draw.choice(["a", "b", "c", "d"], rows, p=[0.5, 0.3, 0.15, 0.05])
        if column.role is ColumnRole.CATEGORICAL
        else draw.normal(size=rows)
        for column in SCHEMA.columns
    }
    columns[TOP] = columns[TOP] + shift
    return pd.DataFrame(columns)


def judged(reference, rows, earlier):
    report = DriftReport(
        pipeline="demo",
        partition=str(len(earlier)),
        champion_version="1",
        reference_rows=len(reference),
        window_rows=len(rows),
        status="judged",
        features=compare_features(reference, rows, SCHEMA, RULE),
    )
    return with_alarm(report, earlier, RULE)


def sequence(seed, rows, windows, shift=0.0):
    draw = np.random.default_rng(seed)
    reference = window(draw, max(2_000, 3 * rows) if rows < 100_000 else 100_000)
    reported = []
    for _ in range(windows):
        reported.append(judged(reference, window(draw, rows, shift), reported))
    return reported


@pytest.mark.parametrize(
    ("rows", "sequences"),
    [
        (200, 12),
        (2_000, 9),
        (100_000, 1),
        pytest.param(200, 60, marks=pytest.mark.full),
        pytest.param(2_000, 40, marks=pytest.mark.full),
    ],
)
def test_at_most_one_of_a_hundred_windows_without_drift_starts_a_retraining(rows, sequences):
    reported = [one for seed in range(sequences) for one in sequence(seed, rows, windows=12 if rows < 100_000 else 4)]
    assert sum(one.alarm_start for one in reported) <= max(len(reported) // 100, 0)
    if rows == 100_000:
        assert max(feature.effect for one in reported for feature in one.features) < RULE.min_effect / 5


@pytest.mark.parametrize(("rows", "sequences"), [(200, 40), (2_000, 8), (100_000, 1)])
def test_a_shift_of_half_a_deviation_of_the_top_feature_is_caught_within_two_windows(rows, sequences):
    caught = [sequence(seed, rows, windows=2, shift=0.5)[-1] for seed in range(sequences)]
    assert sum(TOP in one.alarm_features for one in caught) >= 0.95 * sequences
    assert all(one.alarm_start for one in caught if one.alarm_features)
