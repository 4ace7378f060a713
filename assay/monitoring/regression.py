"""Regression: a champion that is worse, on new labelled rows, than the champion that it replaced."""

from collections.abc import Sequence

from assay.learning.evaluation.bootstrap import RESAMPLES, Paired, Units, effects
from assay.learning.evaluation.evaluating import truth_of
from assay.learning.evaluation.metrics import primary_metric
from assay.learning.evaluation.predictions import Predictions, predictions_of
from assay.learning.splitting import LabelledRows
from assay.results.trained_model import TrainedModel
from assay.specs.base import Spec
from assay.specs.pipeline import PipelineSpec


class RegressionReport(Spec):
    """The champion and the one before it on one window of labelled rows that neither learned from."""

    pipeline: str
    partition: str
    champion_version: str
    former_version: str | None = None
    """The champion before; missing without one to compare with."""
    metric: str = ""
    rows: int = 0
    champion_value: float | None = None
    former_value: float | None = None
    share_worse: float | None = None
    """Share of paired bootstrap resamples in which the champion is worse, by more than `promotion.minimum_effect` where
    that is a number."""
    regressed: bool = False
    """Whether that share reaches `promotion.confidence`."""
    regression_start: bool = False
    """Whether this window is the first that shows it of this champion."""
    reason: str = ""
    """Why nothing was compared, or the finding in one sentence."""


def evaluate_regression(
    champion: tuple[str, TrainedModel],
    former: tuple[str, TrainedModel],
    rows: tuple[LabelledRows, LabelledRows],
    units: Units,
    earlier: Sequence[RegressionReport],
    spec: PipelineSpec,
    *,
    partition: str,
) -> RegressionReport:
    """Compare two champions on the same rows by the paired bootstrap, as a promotion does, in the other direction.

    Source: Efron and Tibshirani (1993), "An Introduction to the Bootstrap", chapters 13 and 16.

    Args:
        champion: version and model of the current champion.
        former: those of the champion before it.
        rows: the same rows in the features of each of the two models.
        units: what is resampled of them.
        earlier: reports of the windows before this one.
        spec: the pipeline.
        partition: the window's key; empty without partitions.
    """
    metric, truth = primary_metric(spec), truth_of(rows[0])
    new, old = (_predicted(model, part, spec) for (_, model), part in zip((champion, former), rows, strict=True))
    rule = spec.promotion
    bound = 0.0 if rule.minimum_effect == "auto" else rule.minimum_effect
    (gain_of_former,) = effects([(metric, None)], Paired(truth, new, old), units, spec.training.seed)
    share_worse, now, before = gain_of_former.share_above(bound), gain_of_former.old, gain_of_former.new
    regressed = share_worse >= rule.confidence
    known = any(one.regressed and one.champion_version == champion[0] for one in earlier)
    return RegressionReport(
        pipeline=spec.name,
        partition=partition,
        champion_version=champion[0],
        former_version=former[0],
        metric=metric.name,
        rows=len(truth),
        champion_value=now,
        former_value=before,
        share_worse=share_worse,
        regressed=regressed,
        regression_start=regressed and not known,
        reason=f"{metric.name} is {_number(now)}, {_number(before)} of version {former[0]} before it; the champion is "
        f"worse in {share_worse:.0%} of {RESAMPLES} resamples ({rule.confidence:.0%} make a regression)",
    )


def _predicted(model: TrainedModel, rows: LabelledRows, spec: PipelineSpec) -> Predictions:
    return predictions_of(model.estimator, rows, model.manifest.classes, spec.task)


def _number(value: float | None) -> str:
    return "missing" if value is None else f"{value:.4g}"
