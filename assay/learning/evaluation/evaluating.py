"""The evaluation of a model on the holdout, compared with a baseline that ignores the features and with bounds."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.data.dataset import GateWarning
from assay.data.schema import TableSchema
from assay.errors import EmptyDataError, LearningError, MetricUnavailableError, MissingColumnError, did_you_mean
from assay.learning.evaluation.bootstrap import intervals, units_of
from assay.learning.evaluation.metrics import Metric, measure, metric, metrics_of, primary_metric
from assay.learning.evaluation.option_effects import decision_effects, interval_effects
from assay.learning.evaluation.predictions import Predictions, codes, predict, predictions_of
from assay.learning.evaluation.reliance import doubts_of
from assay.learning.splitting import LabelledRows, Split
from assay.results.evaluation_report import EvaluationReport, SliceReport
from assay.results.trained_model import TrainedModel
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd

MOST_SLICES_PER_COLUMN = 20


def baseline_predictions(train_target: np.ndarray, classes: tuple[Any, ...], rows: int) -> Predictions:
    """Predict from the training target alone, as scikit-learn's dummies with `prior` and `mean` do.

    Returns:
        The training rows' class shares and commonest class, or their mean, for every row.
    """
    if not classes:
        return Predictions(np.full(rows, train_target.astype(np.float64).mean()), None, ())
    counts = np.bincount(codes(train_target, classes), minlength=len(classes))
    label = np.empty(1, dtype=object)
    label[0] = classes[int(counts.argmax())]
    return Predictions(np.repeat(label, rows), np.tile(counts / counts.sum(), (rows, 1)), classes)


def evaluate(
    model: TrainedModel,
    split: Split,
    spec: PipelineSpec,
    partition: str | None = None,
    warnings: Sequence[GateWarning] = (),
    predictions: Predictions | None = None,
) -> EvaluationReport:
    """Evaluate a recipe on the holdout, by its fit without it; the baseline uses the training target alone.

    Args:
        model: the fitted model.
        split: training and holdout rows.
        spec: the pipeline.
        partition: the newest of the window; names the report.
        warnings: what the gate warned of in the rows of the window; they say where a leak may be.
        predictions: what `holdout_predictions` returns, where they are made already.

    Returns:
        Metrics, baseline and slices, named by the newest partition of the window. A metric that cannot be computed is
        listed with its reason. Values of columns with personal data are not shown. A model of an earlier version does
        not say which rows it learned from: it is evaluated, and the report says so.

    Raises:
        EmptyDataError: the holdout has no row.
        LearningError: the model has learned from rows of the holdout by its manifest's rules.
        MissingColumnError: a slice names a column that is no feature.
        MetricUnavailableError: the primary metric cannot be computed.
        UnknownMetricError: a metric's name is not known.
    """
    from assay.learning.estimators.assembly import limited_threads

    predictions = holdout_predictions(model, split, spec) if predictions is None else predictions
    learned = split.learned_by(model.manifest, spec)
    _require_unlearned(learned, spec)
    metrics, primary, manifest = metrics_of(spec), primary_metric(spec), model.manifest
    truth, estimator = truth_of(split.holdout), model.evaluated.estimator
    with limited_threads(spec.training.threads):
        effects = decision_effects(model, split.holdout, predictions, metrics)
        doubts = doubts_of(lambda rows: predict(estimator, rows, manifest.classes, spec.task), split, warnings, spec)
    values, missing = measured(metrics, truth, predictions)
    if primary.name in missing:
        raise _unavailable(primary.name, missing[primary.name], spec)
    known = [each for each in metrics if each.name in values]
    baseline = baseline_predictions(truth_of(split.train), manifest.classes, len(truth))
    baseline = baseline.beside(split.holdout.metric_columns)
    return EvaluationReport(
        pipeline=spec.name,
        task=spec.task,
        partition=partition,
        family=manifest.family,
        primary_metric=primary.name,
        greater_is_better=primary.greater_is_better,
        holdout_rows=len(truth),
        holdout_digest=split.holdout_digest,
        train_rows=manifest.train_rows,
        deployed_rows=manifest.deployed_rows,
        metrics=values,
        missing_metrics=missing,
        intervals=intervals(known, truth, predictions, units_of(split.holdout_table, spec), spec.training.seed),
        baseline=measured(metrics, truth, baseline)[0],
        decision=effects,
        interval=interval_effects(model, truth, predictions),
        slices=tuple(_slices(spec.evaluation.slices, split, metrics, truth, predictions)),
        minimum=spec.evaluation.minimum,
        directions={each.name: each.greater_is_better for each in metrics if ":" in each.name and each.stated},
        without_direction=tuple(each.name for each in metrics if not each.stated),
        must_beat_baseline=spec.evaluation.must_beat_baseline,
        training_rows_known=learned is not None,
        gate_warnings=tuple(warnings),
        doubts=doubts,
    )


def holdout_predictions(model: TrainedModel, split: Split, spec: PipelineSpec) -> Predictions:
    """Predict the holdout by the fit without it, for all that is said of it.

    Raises:
        EmptyDataError: the holdout has no row.
        MissingColumnError: a slice names a column that is no feature.
    """
    from assay.learning.estimators.assembly import limited_threads

    _require_rows_and_columns(spec, split.holdout.features)
    with limited_threads(spec.training.threads):
        return predictions_of(model.evaluated.estimator, split.holdout, model.manifest.classes, spec.task)


def truth_of(rows: LabelledRows) -> np.ndarray:
    """Return the target, shape (n,), values as in the table."""
    return np.asarray(rows.target.to_numpy())


def measured(
    metrics: Iterable[Metric], truth: np.ndarray, predictions: Predictions
) -> tuple[dict[str, float], dict[str, str]]:
    """Return the values, and the reasons of the metrics without one."""
    found = {each.name: measure(each, truth, predictions) for each in metrics}
    values = {name: each.value for name, each in found.items() if each.value is not None}
    return values, {name: each.reason for name, each in found.items() if each.value is None}


def parts_of(
    wanted: Iterable[str], frame: "pd.DataFrame", features: TableSchema
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield column, value and mask, shape (n,), of the commonest values of some columns; personal values unnamed."""
    for name in wanted:
        column = frame[name]
        values = column.astype(object).where(column.notna(), "(missing)").astype(str)
        for rank, value in enumerate(values.value_counts().head(MOST_SLICES_PER_COLUMN).index, start=1):
            shown = f"(personal value {rank})" if features[name].pii else str(value)
            yield name, shown, (values == value).to_numpy()


def _slices(
    wanted: tuple[str, ...], split: Split, metrics: tuple[Metric, ...], truth: np.ndarray, predictions: Predictions
) -> Iterator[SliceReport]:
    for column, value, inside in parts_of(wanted, split.holdout.features, split.features):
        numbers, _ = measured(metrics, truth[inside], predictions.take(inside))
        yield SliceReport(column=column, value=value, rows=int(inside.sum()), metrics=numbers)


def _require_rows_and_columns(spec: PipelineSpec, features: "pd.DataFrame") -> None:
    if len(features) == 0:
        raise EmptyDataError(
            "the holdout has no row, so the model cannot be evaluated",
            where=f"pipeline {spec.name}, split",
            expected="at least one row",
            remedy="raise split.test_size, or check the newest partition",
        )
    for column in spec.evaluation.slices:
        if column not in features.columns:
            known = [str(name) for name in features.columns]
            raise MissingColumnError(
                f"there is no feature '{column}' to slice by{did_you_mean(column, known)}",
                where=f"pipeline {spec.name}, evaluation.slices",
                found=column,
                expected=f"one of {', '.join(known)}",
                remedy="correct the name, or give the column a role that makes it a feature",
            )


def _require_unlearned(learned: np.ndarray | None, spec: PipelineSpec) -> None:
    if learned is None or not learned.any():
        return
    raise LearningError(
        "the model was trained under another split, so its metrics on this holdout would be too good",
        where=f"pipeline {spec.name}, evaluation",
        found=f"it may have learned from {int(learned.sum()):,} of {len(learned):,} holdout rows",
        expected="a holdout that the model has not learned from",
        remedy="materialise best_hyperparameters and trained_model again, with the same run parameters as this run",
    )


def _unavailable(primary: str, reason: str, spec: PipelineSpec) -> MetricUnavailableError:
    return MetricUnavailableError(
        f"the primary metric '{primary}' cannot be computed: {reason}",
        where=f"pipeline {spec.name}, evaluation.primary_metric",
        found=reason,
        expected="a finite number",
        remedy="choose another primary metric, another model family, or a holdout that has what the metric needs",
    )


def beats_baseline(report: EvaluationReport) -> bool:
    """Return whether the primary metric is better than the baseline's; true where the baseline has none."""
    value, baseline = report.metrics[report.primary_metric], report.baseline.get(report.primary_metric)
    return baseline is None or (value > baseline if report.greater_is_better else value < baseline)


def failed_minimum(report: EvaluationReport) -> dict[str, float | None]:
    """Return the metrics of `evaluation.minimum` that miss their bound, with their values.

    A metric that could not be computed misses its bound; its value is None.
    """
    return {
        name: report.metrics.get(name)
        for name, bound in report.minimum.items()
        if name not in report.metrics or not _reaches(name, report.metrics[name], bound, report)
    }


def bound_in_words(name: str, report: EvaluationReport) -> str:
    """Return the bound of a metric in `evaluation.minimum`: `at least 0.7`, or `at most 15` of an error."""
    stated = report.directions.get(name)
    grows = metric(name, report.task).greater_is_better if stated is None else stated
    return f"at {'least' if grows else 'most'} {report.minimum[name]:g}"


def _reaches(name: str, value: float, bound: float, report: EvaluationReport) -> bool:
    """Return whether a value reaches a bound, in the direction that the metric had when the model was evaluated."""
    stated = report.directions.get(name)
    if stated is None:
        return metric(name, report.task).reaches(value, bound)
    return value >= bound if stated else value <= bound
