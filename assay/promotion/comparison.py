"""The comparison of a challenger with the champion on the same rows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from assay.data.schema import TableSchema
from assay.errors import MetricUnavailableError
from assay.learning.evaluation.bootstrap import Effect, Paired, Units, effects, units_of
from assay.learning.evaluation.evaluating import measured, parts_of, truth_of
from assay.learning.evaluation.metrics import Measured, Metric, measure, metrics_of, primary_metric
from assay.learning.evaluation.predictions import Predictions, predictions_of
from assay.learning.retraining import measure_retraining
from assay.learning.splitting import Split
from assay.promotion.comparable_rows import ComparableRows
from assay.promotion.minimum_effect import Evidence, HoldoutUse, RequiredEffect, decision_number, required_effect
from assay.results.trained_model import TrainedModel
from assay.specs.base import Spec, digest_of
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd


class ComparedValues(Spec):
    """Both models' metrics on the same rows; a metric that cannot be computed is left out."""

    column: str = ""
    """The column of a slice; empty for all compared rows."""
    value: str = ""
    rows: int
    champion: dict[str, float]
    challenger: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two models on the same rows.

    Attributes:
        champion: the model that is in use.
        rows: the holdout rows that are compared.
        features: of these rows.
        pair: both models' predictions of the holdout.
        units: what is resampled.
        primary: the metric that decides.
        before: the champion's value.
        after: the challenger's value.
        effect: the improvement.
        required: the improvement that must be exceeded.
        use: the holdout, as later decisions count it.
        values: every metric of both models, on all compared rows and on the declared slices.
    """

    champion: TrainedModel
    rows: ComparableRows
    features: "pd.DataFrame"
    pair: Paired
    units: Units
    primary: Metric
    before: Measured
    after: float
    effect: Effect
    required: RequiredEffect
    use: HoldoutUse
    values: tuple[ComparedValues, ...]


def compare_models(
    champion: TrainedModel,
    challenger: TrainedModel,
    split: Split,
    rows: ComparableRows,
    spec: PipelineSpec,
    earlier: Iterable[HoldoutUse | None] = (),
) -> Comparison:
    """Compare a challenger with the champion in the primary metric.

    Args:
        champion: can predict these rows.
        challenger: the new model.
        split: the rows.
        rows: the holdout rows that are compared.
        spec: the pipeline.
        earlier: the holdouts of earlier decisions.

    Raises:
        MetricUnavailableError: the challenger's primary metric cannot be computed.
    """
    chosen, primary = rows.positions, primary_metric(spec)
    compared = split.holdout.take(chosen)
    truth, units = truth_of(compared), units_of(split.holdout_table, spec).take(chosen)
    old, new = (predicted(model, split, spec).take(chosen) for model in (champion, challenger))
    before, after = measure(primary, truth, old), measure(primary, truth, new)
    if after.value is None:
        raise MetricUnavailableError(
            f"the challenger's {primary.name} cannot be computed: {after.reason}",
            where=f"pipeline {spec.name}, promotion",
            expected="the value that its report has",
            remedy="materialise evaluation_report again",
        )
    pair = Paired(truth, old, new)
    (effect,) = effects([(primary, None)], pair, units, spec.training.seed)
    use = HoldoutUse(holdout=holdout_of(split, spec), rows=len(truth))
    required = required_effect(
        Evidence(effect, units.number(np.ones(len(truth), np.bool_)), decision_number(use, earlier)),
        spec.promotion,
        lambda: measure_retraining(primary, challenger, split, compared, spec),
    )
    return Comparison(
        champion=champion,
        rows=rows,
        features=compared.features,
        pair=pair,
        units=units,
        primary=primary,
        before=before,
        after=after.value,
        effect=effect,
        required=required,
        use=use,
        values=tuple(_values(pair, compared.features, split.features, spec)),
    )


def _values(pair: Paired, rows: "pd.DataFrame", features: TableSchema, spec: PipelineSpec) -> Iterator[ComparedValues]:
    """Yield every metric of both models on all rows, then on the slices of `evaluation.slices`."""
    metrics, every = metrics_of(spec), np.ones(len(pair.truth), np.bool_)
    for column, value, inside in (("", "", every), *parts_of(spec.evaluation.slices, rows, features)):
        champion, challenger = (
            measured(metrics, pair.truth[inside], each.take(inside))[0] for each in (pair.old, pair.new)
        )
        yield ComparedValues(
            column=column, value=value, rows=int(inside.sum()), champion=champion, challenger=challenger
        )


def predicted(model: TrainedModel, split: Split, spec: PipelineSpec) -> Predictions:
    """Return a model's predictions of the holdout rows, as deployed if it has learned from none of them."""
    from assay.learning.estimators.assembly import limited_threads

    is_time = spec.dataset.partitions.is_time
    model = model.measured_on(split.holdout_table, split.holdout_partitions, time_partitions=is_time)
    rows = replace(split.holdout, features=split.holdout.features[list(model.manifest.features.names)])
    with limited_threads(spec.training.threads):
        return predictions_of(model.estimator, rows, model.manifest.classes, spec.task)


def holdout_of(split: Split, spec: PipelineSpec) -> str:
    """Return the identity of a holdout, as `HoldoutUse` names it."""
    if spec.split.by == "time":
        return max(split.data_digests)
    rule = split.learned
    return digest_of(list(rule.columns), rule.salt, rule.holdout_share)[:16]
