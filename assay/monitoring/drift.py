"""Drift monitoring: whether a window's features, predictions and target are distributed as the champion knows them.

One window is noisy, and many tests give many false alarms. A feature therefore counts as drifted only if one of its
changes is significant under a bound on false discoveries over everything watched, and exceeds a bound of its own. Where
the window's season is known from before the champion was trained, the change must exceed the bound against that season
too. An alarm needs the same feature to drift in several of the latest windows.

Features and target are compared with the champion's training rows, predictions with those of its holdout, as it has
seen the target of the training rows.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field

from assay.data.schema import TableSchema
from assay.errors import DataContractError, did_you_mean
from assay.gate.distribution_tests import discoveries
from assay.learning.evaluation.predictions import Predictions
from assay.learning.splitting import LabelledRows
from assay.monitoring.alarms import alarm_state
from assay.monitoring.changes import COUNTED, Change, changes
from assay.monitoring.reference import MonitoredWindow, Reference
from assay.specs.base import Spec
from assay.specs.dataset import ColumnRole
from assay.specs.operations import DriftSpec
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd

_WATCHED = (ColumnRole.NUMERIC, *COUNTED)
PREDICTIONS = "(predictions)"
"""Name of the champion's predictions in a report."""


class FeatureDrift(Spec):
    """One feature of a window, or its target or predictions, compared with the champion's rows."""

    name: str
    kind: Literal["feature", "target", "prediction"] = "feature"
    statistic: str
    """What the effect is: KS distance, or total variation distance."""
    effect: float
    """Of the whole distribution, from 0 (none) to 1."""
    p_value: float
    missing_before: float
    """Share of missing values among the training rows."""
    missing_now: float
    drifted: bool
    changes: tuple[Change, ...] = ()
    """Every aspect that was compared."""


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
    target_partition: str = ""
    """The partition whose target was compared; empty if none was."""
    season_partition: str = ""
    """The partition of the same season that changes were compared with too; empty without such a partition."""
    alarm_features: tuple[str, ...] = ()
    """Features that drifted in enough of the latest windows; one is enough for an alarm."""
    windows: tuple[str, ...] = ()
    """The windows that the alarm counts, oldest first, this one included."""
    drifted_in: dict[str, tuple[str, ...]] = {}
    """Those of these windows in which each feature of the alarm drifted; missing in reports of earlier versions."""
    alarm_start: bool = Field(default=False, validation_alias="rising", serialization_alias="rising")
    """Whether the alarm begins, or begins again, in this window."""
    training_due: bool = False
    """Whether the training of this window answers an alarm: its training rows hold a window of the alarm."""

    @property
    def alarm(self) -> bool:
        """Whether there is an alarm."""
        return bool(self.alarm_features)

    @property
    def target_compared(self) -> bool:
        """Whether the target of some rows was compared."""
        return any(feature.kind == "target" for feature in self.features)

    @property
    def share_drifted(self) -> float | None:
        """Share of what was compared that drifted in this window; None where nothing was."""
        return len(self.drifted) / len(self.features) if self.features else None

    @property
    def drifted(self) -> tuple[str, ...]:
        """Features that drifted in this window."""
        return tuple(feature.name for feature in self.features if feature.drifted)


class Compared(NamedTuple):
    """Samples of one feature, target or prediction: the champion's, the window's, and that of the same season."""

    name: str
    kind: Literal["feature", "target", "prediction"]
    role: ColumnRole
    before: "pd.Series[Any]"
    now: "pd.Series[Any]"
    season: "pd.Series[Any] | None"


def compared_samples(window: MonitoredWindow, reference: Reference, spec: PipelineSpec) -> tuple[Compared, ...]:
    """Return what is compared of a window; nothing where the champion was trained on its rows.

    Raises:
        DataContractError: the training rows are not known, or the rule names a column that is no feature.
    """
    return () if window.trained_on else tuple(_compared(window, reference, _rule(spec)))


def _rule(spec: PipelineSpec) -> DriftSpec:
    return (spec.monitoring.drift if spec.monitoring else None) or DriftSpec()


def evaluate_drift(
    window: MonitoredWindow,
    reference: Reference,
    earlier: Sequence[DriftReport],
    spec: PipelineSpec,
    compared: Sequence[Compared] | None = None,
) -> DriftReport:
    """Compare a window's rows with the champion's rows, and decide on the alarm.

    Args:
        window: the rows.
        reference: the champion and its rows.
        earlier: reports of the windows before this one, oldest first.
        spec: the pipeline.
        compared: what `compared_samples` returns, where it is made already.

    Raises:
        DataContractError: the training rows are not known, or the rule names a column that is no feature.
    """
    rule, judged = _rule(spec), not window.trained_on
    compared = compared_samples(window, reference, spec) if compared is None else compared
    report = DriftReport(
        pipeline=spec.name,
        partition=window.partition,
        champion_version=reference.version,
        reference_rows=len(_training_rows(reference).target),
        window_rows=len(window.features),
        status="judged" if judged else "trained_on",
        features=_results(compared, rule),
        target_partition=window.labelled.partition if window.labelled and rule.watch_target and judged else "",
        season_partition=window.season.partition if window.season and judged else "",
    )
    return with_alarm(report, earlier, rule, spec) if judged else report


def drift_between(
    before: LabelledRows, now: LabelledRows, features: TableSchema, target: str, spec: PipelineSpec
) -> tuple[FeatureDrift, ...]:
    """Compare features and target of two sets of rows, such as training rows and holdout, the largest effect first.

    Args:
        before: shape (n, features).
        now: shape (m, features).
        features: columns and roles of both.
        target: its name.
        spec: the pipeline, with the bounds of `monitoring.drift`.
    """
    rule = _rule(spec)
    watched = [each for each in features.columns if each.role in _WATCHED]
    compared = [
        Compared(each.name, "feature", each.role, before.features[each.name], now.features[each.name], None)
        for each in watched
    ]
    counted = spec.task.is_classification
    return _results([*compared, _of_target(target, before, now, None, counted=counted)], rule)


def _training_rows(reference: Reference) -> LabelledRows:
    if reference.train is None:
        raise DataContractError(
            "the champion's training rows are not known",
            where=f"champion version {reference.version}",
            remedy="train and promote a model from rows of this store",
        )
    return reference.train


def _compared(window: MonitoredWindow, reference: Reference, rule: DriftSpec) -> Iterator[Compared]:
    train, season = _training_rows(reference), window.season.rows if window.season else None
    features = reference.model.manifest.features
    for name in watched_features(features, rule) if window.has_features else ():
        of_season = None if season is None else season.features[name]
        yield Compared(name, "feature", features[name].role, train.features[name], window.features[name], of_season)
    if rule.watch_target and window.labelled is not None and not window.labelled.trained_on:
        same_season = season if window.labelled.partition == window.partition else None
        yield _target(train, window.labelled.rows, same_season, reference)
    if rule.watch_predictions and reference.holdout_predictions is not None:
        yield _predictions(reference.holdout_predictions, window, season, reference)


def _target(train: LabelledRows, now: LabelledRows, season: LabelledRows | None, reference: Reference) -> Compared:
    manifest = reference.model.manifest
    return _of_target(manifest.target, train, now, season, counted=manifest.task.is_classification)


def _of_target(
    name: str, train: LabelledRows, now: LabelledRows, season: LabelledRows | None, *, counted: bool
) -> Compared:
    before, after, of_season = (
        None if rows is None else rows.target.astype(str) if counted else rows.target for rows in (train, now, season)
    )
    role = ColumnRole.CATEGORICAL if counted else ColumnRole.NUMERIC
    return Compared(name, "target", role, before, after, of_season)  # type: ignore[arg-type] # both given


def _predictions(
    before: Predictions, window: MonitoredWindow, season: LabelledRows | None, reference: Reference
) -> Compared:
    now = reference.predictions_of(window)
    of_season = None if season is None else _shown(reference.predictions(season.features))
    role = ColumnRole.CATEGORICAL if _score(now) is None else ColumnRole.NUMERIC
    return Compared(PREDICTIONS, "prediction", role, _shown(before), _shown(now), of_season)


def _shown(predictions: Predictions) -> "pd.Series[Any]":
    """Return the score of the positive class or the predicted value; the labels where there is no one score."""
    import pandas as pd

    score = _score(predictions)
    return pd.Series(predictions.labels.astype(str), dtype=object) if score is None else pd.Series(score)


def _score(predictions: Predictions) -> Any:
    if not predictions.classes:
        return predictions.labels
    if len(predictions.classes) > len(("no", "yes")):
        return None
    return predictions.scores if predictions.probabilities is None else predictions.probabilities[:, -1]


def _results(compared: Sequence[Compared], rule: DriftSpec) -> tuple[FeatureDrift, ...]:
    """Return one result for each comparison, the largest effect first. No value of a feature is shown."""
    found = [changes(each.before, each.now, each.role, rule) for each in compared]
    significant = iter(discoveries([one.p_value for each in found for one in each], rule.false_discovery_rate))
    results = [
        _result(each, [_judged(one, each, rule, next(significant)) for one in changed])
        for each, changed in zip(compared, found, strict=True)
    ]
    return tuple(sorted(results, key=lambda result: -result.effect))


def _judged(change: Change, compared: Compared, rule: DriftSpec, significant: bool) -> Change:  # noqa: FBT001 - as found
    """Return a change with its verdict; what the same season had does not count."""
    if not (significant and change.exceeds):
        return change
    if compared.season is None or not len(compared.season):
        return change.model_copy(update={"drifted": True})
    seasonal = changes(compared.season, compared.now, compared.role, rule)
    again = next((each for each in seasonal if each.aspect == change.aspect), None)
    if again is None:
        return change.model_copy(update={"season_effect": 0.0})
    return change.model_copy(update={"season_effect": again.effect, "drifted": again.exceeds})


def _result(compared: Compared, judged: Sequence[Change]) -> FeatureDrift:
    whole = next((each for each in judged if each.aspect == "distribution"), None)
    return FeatureDrift(
        name=compared.name,
        kind=compared.kind,
        statistic=whole.statistic if whole else "nothing to compare",
        effect=whole.effect if whole else 0.0,
        p_value=whole.p_value if whole else 1.0,
        missing_before=_missing(compared.before),
        missing_now=_missing(compared.now),
        drifted=any(each.drifted for each in judged),
        changes=tuple(judged),
    )


def watched_features(features: TableSchema, rule: DriftSpec) -> tuple[str, ...]:
    """Return the features to compare; texts and datetimes are not.

    Raises:
        DataContractError: the rule names a column that is no such feature.
    """
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


def with_alarm(report: DriftReport, earlier: Sequence[DriftReport], rule: DriftSpec, spec: PipelineSpec) -> DriftReport:
    """Return the report with its alarm: the same feature drifted in `alarm_windows` of the `of_windows` latest windows.

    Windows that were compared with another champion do not count; `earlier` is oldest first.
    """
    comparable = [one for one in earlier if one.champion_version == report.champion_version and one.status == "judged"]
    window = [*comparable[max(0, len(comparable) - rule.of_windows + 1) :], report]
    counts = Counter(name for one in window for name in one.drifted)
    alarming = tuple(name for name in report.drifted if counts[name] >= rule.alarm_windows)
    state = alarm_state(bool(alarming), comparable, spec)
    return report.model_copy(
        update={
            "alarm_features": alarming,
            "windows": tuple(one.partition for one in window),
            "drifted_in": {name: tuple(one.partition for one in window if name in one.drifted) for name in alarming},
            "alarm_start": state.start,
            "training_due": state.training_due,
        }
    )


def _missing(values: "pd.Series[Any]") -> float:
    return float(values.isna().mean()) if len(values) else 0.0
