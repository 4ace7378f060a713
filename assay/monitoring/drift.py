"""Drift monitoring: whether the features of a window are distributed as in the champion's training rows.

One window is noisy, and testing many features gives many false alarms. A feature therefore counts as drifted only if
its difference is significant under a bound on false discoveries over all features and exceeds a minimum effect. An
alarm needs the same feature to drift in several of the latest windows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from assay.data.frames import feature_frame
from assay.data.schema import TableSchema
from assay.errors import DataContractError, did_you_mean
from assay.gate.distribution_tests import Difference, categories_differ, discoveries, numbers_differ
from assay.promotion.champion import CurrentChampion
from assay.specs.base import Spec
from assay.specs.dataset import ColumnRole
from assay.specs.operations import DriftSpec
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd

_COUNTED = (ColumnRole.CATEGORICAL, ColumnRole.BOOLEAN)
_WATCHED = (ColumnRole.NUMERIC, *_COUNTED)
_MISSING = object()  # equal to no value of a column
# more rows only find smaller differences
_MOST_ROWS = 200_000


class FeatureDrift(Spec):
    """One feature of a window, compared with the champion's training rows."""

    name: str
    statistic: str
    """What the effect is: KS distance, or total variation distance."""
    effect: float
    """From 0 (none) to 1."""
    p_value: float
    missing_before: float
    """Share of missing values among the training rows."""
    missing_now: float
    drifted: bool


class DriftReport(Spec):
    """The drift of one window."""

    pipeline: str
    partition: str
    """Partition key; empty without partitions."""
    champion_version: str
    """The version whose training rows are the reference."""
    reference_rows: int
    window_rows: int
    status: Literal["judged", "trained_on"]
    """`trained_on`: the champion was trained on these rows, so there is nothing to compare."""
    features: tuple[FeatureDrift, ...] = ()
    alarm_features: tuple[str, ...] = ()
    """Features that drifted in enough of the latest windows; one is enough for an alarm."""
    windows: tuple[str, ...] = ()
    """The windows that the alarm counts, oldest first, this one included."""
    alarm_start: bool = Field(default=False, validation_alias="rising", serialization_alias="rising")
    """Whether this window is the first of the alarm."""

    @property
    def drifted(self) -> tuple[str, ...]:
        """Features that drifted in this window."""
        return tuple(feature.name for feature in self.features if feature.drifted)


def evaluate_drift(
    table: pa.Table,
    reference: "pd.DataFrame",
    champion: CurrentChampion,
    earlier: Sequence[DriftReport],
    spec: PipelineSpec,
    *,
    partition: str,
    trained_on: bool,
) -> DriftReport:
    """Compare a window's rows with the champion's training rows, and decide on the alarm.

    Args:
        table: rows of the window.
        reference: feature frame of the champion's training rows.
        champion: the current champion.
        earlier: reports of the windows before this one, oldest first.
        spec: the pipeline.
        partition: the window's key; empty without partitions.
        trained_on: whether the champion was trained on these rows.
    """
    rule = (spec.monitoring.drift if spec.monitoring else None) or DriftSpec()
    features = champion.model.manifest.features
    window = feature_frame(table, features)
    report = DriftReport(
        pipeline=spec.name,
        partition=partition,
        champion_version=champion.version,
        reference_rows=len(reference),
        window_rows=len(window),
        status="trained_on" if trained_on else "judged",
        features=() if trained_on else compare_features(reference, window, features, rule),
    )
    return report if trained_on else with_alarm(report, earlier, rule)


def compare_features(
    reference: "pd.DataFrame", window: "pd.DataFrame", features: TableSchema, rule: DriftSpec
) -> tuple[FeatureDrift, ...]:
    """Compare the watched features of a window's feature frame with those of the training rows.

    Text and datetime features are not watched. No value of a feature is shown.

    Returns:
        One result for each watched feature, the largest effect first.

    Raises:
        DataContractError: the rule names a column that is no feature of the champion.
    """
    names = _watched_features(features, rule)
    found = {name: _difference(reference[name], window[name], features[name].role) for name in names}
    significant = discoveries([difference.p_value for difference in found.values()], rule.false_discovery_rate)
    results = [
        FeatureDrift(
            name=name,
            statistic=difference.statistic,
            effect=difference.effect,
            p_value=difference.p_value,
            missing_before=_missing(reference[name]),
            missing_now=_missing(window[name]),
            drifted=discovered and difference.effect >= rule.min_effect,
        )
        for (name, difference), discovered in zip(found.items(), significant, strict=True)
    ]
    return tuple(sorted(results, key=lambda result: -result.effect))


def _watched_features(features: TableSchema, rule: DriftSpec) -> tuple[str, ...]:
    known = features.with_role(*_WATCHED)
    if rule.columns == "auto":
        return known
    for name in rule.columns:
        if name not in known:
            raise DataContractError(
                f"'{name}' cannot be watched{did_you_mean(name, known)}",
                where="monitoring.drift.columns",
                expected=f"numeric, boolean or categorical features of the champion: {', '.join(known)}",
                remedy="correct monitoring.drift.columns",
            )
    return rule.columns


def with_alarm(report: DriftReport, earlier: Sequence[DriftReport], rule: DriftSpec) -> DriftReport:
    """Return the report with its alarm: the same feature drifted in `alarm_windows` of the `of_windows` latest windows.

    Windows that were compared with another champion do not count; `earlier` is oldest first.
    """
    comparable = [one for one in earlier if one.champion_version == report.champion_version and one.status == "judged"]
    window = [*comparable[max(0, len(comparable) - rule.of_windows + 1) :], report]
    counts = Counter(name for one in window for name in one.drifted)
    alarming = tuple(name for name in report.drifted if counts[name] >= rule.alarm_windows)
    before = bool(comparable and comparable[-1].alarm_features)
    return report.model_copy(
        update={
            "alarm_features": alarming,
            "windows": tuple(one.partition for one in window),
            "alarm_start": bool(alarming) and not before,
        }
    )


def _difference(reference: "pd.Series[Any]", window: "pd.Series[Any]", role: ColumnRole) -> Difference:
    before, now = _sampled(reference), _sampled(window)
    if not (len(before) and len(now)):
        return Difference("nothing to compare", 0.0, 1.0)
    if role in _COUNTED:
        return categories_differ(_counts(now), _counts(before))
    return numbers_differ(_ordered(now), _ordered(before))


def _counts(values: "pd.Series[Any]") -> "pd.Series[int]":
    """Return rows by value; missing is a value of its own."""
    import pandas as pd

    counts = values.value_counts()
    return pd.Series([*counts, int(values.isna().sum())], index=pd.Index([*counts.index, _MISSING], dtype=object))


def _ordered(values: "pd.Series[Any]") -> "np.ndarray[Any, Any]":
    """Return numbers with missing ones below all others, so that a change of their share is a difference."""
    numbers = values.to_numpy(dtype=np.float64)
    return np.where(np.isnan(numbers), -np.inf, numbers)


def _sampled(values: "pd.Series[Any]") -> "pd.Series[Any]":
    if len(values) <= _MOST_ROWS:
        return values
    chosen = np.random.default_rng(0).choice(len(values), _MOST_ROWS, replace=False)
    return values.iloc[np.sort(chosen)]


def _missing(values: "pd.Series[Any]") -> float:
    return float(values.isna().mean()) if len(values) else 0.0


def drift_table(report: DriftReport) -> list[Mapping[str, Any]]:
    """Return one row for each feature, for display."""
    return [
        {
            "feature": feature.name,
            "drifted": feature.drifted,
            "effect": feature.effect,
            "statistic": feature.statistic,
            "p": feature.p_value,
            "missing before": feature.missing_before,
            "missing now": feature.missing_now,
        }
        for feature in report.features
    ]
