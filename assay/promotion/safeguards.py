"""Safeguards: what may block the promotion of a challenger that is better in the primary metric.

Each is one function of `SAFEGUARDS` and gives its numbers to the decision whether it blocks or not.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from assay.counting import counted, first_of
from assay.learning.evaluation.predictions import Predictions, codes, probabilities
from assay.learning.evaluation.weighted_metrics import Weighted, calibration_error
from assay.learning.latency import in_words, latency_ms
from assay.learning.splitting import Split
from assay.promotion.comparison import Comparison
from assay.promotion.slices import SliceComparison, compare_slices
from assay.results.evaluation_report import EvaluationReport
from assay.results.trained_model import TrainedModel
from assay.specs.base import Spec
from assay.specs.pipeline import PipelineSpec

_TAIL = 0.05
_LEAD_SHARE = 0.25
_SHOWN_SLICES = 10
_NAMED_SLICES = 3


class SafeguardResult(Spec):
    """What one safeguard found."""

    name: Literal["minimum", "slices", "calibration", "latency", "signature"]
    passed: bool
    value: float | None = None
    """The number that is bounded."""
    bound: float | None = None
    """Missing where the safeguard only reports."""
    statement: str
    """For people, with the numbers."""
    slices: tuple[SliceComparison, ...] = ()
    """The worst slices; of `slices` alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Promotion:
    """A promotion that is about to happen.

    Attributes:
        challenger: the new model.
        split: the rows.
        report: the challenger's evaluation.
        spec: the pipeline.
        made: the comparison with the champion; None without a champion.
    """

    challenger: TrainedModel
    split: Split
    report: EvaluationReport
    spec: PipelineSpec
    made: Comparison | None = None


Safeguard: TypeAlias = Callable[[Promotion], SafeguardResult | None]


def guard(promotion: Promotion) -> tuple[SafeguardResult, ...]:
    """Return the results of all safeguards that apply."""
    return tuple(_results(promotion))


def _results(promotion: Promotion) -> Iterator[SafeguardResult]:
    for safeguard in SAFEGUARDS:
        result = safeguard(promotion)
        if result is not None:
            yield result


def _minimum(promotion: Promotion) -> SafeguardResult | None:
    """Report the metrics of `evaluation.minimum`; a challenger that misses one was rejected before."""
    report = promotion.report
    if not report.minimum:
        return None
    parts = [f"{name} {report.metrics[name]:.4g} against {bound:.4g}" for name, bound in report.minimum.items()]
    return SafeguardResult(name="minimum", passed=True, statement=", ".join(parts))


def _slices(promotion: Promotion) -> SafeguardResult | None:
    """Block where a slice loses more than `promotion.slices.max_loss`."""
    rule, made = promotion.spec.promotion.slices, promotion.made
    if rule is None or made is None:
        return None
    bound = _lead(promotion, made) * _LEAD_SHARE if rule.max_loss == "auto" else rule.max_loss
    compared = compare_slices(made, promotion.split.features, rule, bound, promotion.spec)
    ruined = [each for each in compared if each.ruined]
    name = made.primary.name
    parts = [
        f"{each.name} went from {each.champion:.4g} to {each.challenger:.4g} on {each.rows:,} rows" for each in ruined
    ]
    worst = max((each.loss for each in compared), default=None)
    return SafeguardResult(
        name="slices",
        passed=not ruined,
        value=worst,
        bound=bound,
        statement=f"{name} of {first_of(parts, _NAMED_SLICES)} (a loss of {bound:.3g} is allowed)"
        if ruined
        else f"none of {counted(len(compared), 'slice')} loses more than {bound:.3g} of {name}",
        slices=compared[:_SHOWN_SLICES],
    )


def _lead(promotion: Promotion, made: Comparison) -> float:
    """Return by how much the better model leads the baseline; without a baseline, the size of its value."""
    values = [promotion.report.metrics[made.primary.name], made.before.value or made.after]
    baseline = promotion.report.baseline.get(made.primary.name)
    if baseline is None:
        return max(abs(value) for value in values)
    return max(0.0, *(made.primary.gain(baseline, value) for value in values))


def _calibration(promotion: Promotion) -> SafeguardResult | None:
    """Block where the stated probabilities are off by more than the champion's, beyond `max_calibration_loss`.

    Of several classes the probability of the predicted one counts (Guo et al. 2017, "On Calibration of Modern Neural
    Networks").
    """
    bound, made = promotion.spec.promotion.max_calibration_loss, promotion.made
    if bound is None or made is None or made.pair.old.probabilities is None or made.pair.new.probabilities is None:
        return None
    old, new = (_calibration_error(made.pair.truth, each) for each in (made.pair.old, made.pair.new))
    drawn = [
        new(weights) - old(weights)
        for weights in made.units.weights(len(made.pair.truth), promotion.spec.training.seed)
    ]
    every = np.ones((1, len(made.pair.truth)))
    before, after = (float(error(every)[0]) for error in (old, new))
    low, high = (float(each) for each in np.quantile(np.concatenate(drawn), [_TAIL, 1 - _TAIL]))
    return SafeguardResult(
        name="calibration",
        passed=not (after - before > bound and low > 0),
        value=after - before,
        bound=bound,
        statement=f"calibration error from {before:.3g} to {after:.3g}, a change of {after - before:+.3g} "
        f"(90 % interval {low:+.3g} to {high:+.3g}); {bound:.3g} more is allowed",
    )


def _calibration_error(truth: np.ndarray, predictions: Predictions) -> Weighted:
    """Return the error of the positive class's probability, of several classes of the predicted one's."""
    shares, true = probabilities(predictions), codes(truth, predictions.classes)
    if len(predictions.classes) == 2:  # noqa: PLR2004 - binary
        return calibration_error(shares[:, -1], true == 1)
    return calibration_error(shares.max(axis=1), true == shares.argmax(axis=1))


def _latency(promotion: Promotion) -> SafeguardResult | None:
    """Block where 1,000 rows take longer than `promotion.max_latency_ms`."""
    from assay.learning.estimators.assembly import limited_threads

    bound = promotion.spec.promotion.max_latency_ms
    if bound is None:
        return None
    with limited_threads(promotion.spec.training.threads):
        value = latency_ms(promotion.challenger.estimator.predict, promotion.split.holdout.features)
    statement = in_words(value, bound)
    return SafeguardResult(name="latency", passed=value <= bound, value=value, bound=bound, statement=statement)


def _signature(promotion: Promotion) -> SafeguardResult | None:
    """Name the columns that callers of the champion do not send; block if `promotion.signature` is `compatible`."""
    made = promotion.made
    if made is None:
        return None
    sent = set(made.champion.manifest.features.names)
    further = [name for name in promotion.challenger.manifest.features.names if name not in sent]
    if not further:
        return SafeguardResult(name="signature", passed=True, statement="takes no column beyond the champion's")
    return SafeguardResult(
        name="signature",
        passed=promotion.spec.promotion.signature == "any",
        value=len(further),
        statement=f"callers of the champion must also send {', '.join(further)}",
    )


SAFEGUARDS: tuple[Safeguard, ...] = (_minimum, _slices, _calibration, _latency, _signature)
