"""The improvement that a promotion requires: what retrainings of one recipe and many decisions produce by chance.

Resamples of a holdout show how uncertain the difference of two given models is. Two retrainings of one recipe are
different models, one of them truly better by chance, and on a large holdout that is found. So a challenger must exceed
what the retraining explains: with the standard deviation s of the difference on the holdout's resamples and r of that
between twins, it needs q(s, r) = sqrt((z s)^2 + (t r)^2), z and t being quantiles of the confidence. The resamples
already require z s, hence the minimum effect is q - z s. It is above zero and vanishes with r.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from assay.learning.evaluation.bootstrap import Effect
from assay.learning.retraining import RetrainingNoise
from assay.specs.base import Spec
from assay.specs.operations import PromotionSpec

_POWER = 0.8


class HoldoutUse(Spec):
    """The holdout that a decision was made on; earlier decisions on it make chance findings likelier."""

    holdout: str
    """Identity of the rule that holds rows out: the partition of a time split, else the digest of the split's rule."""
    rows: int
    """Rows that were compared."""


class RequiredEffect(Spec):
    """The minimum effect of a decision and where it comes from; in the metric's unit."""

    minimum_effect: float
    """The improvement that must be exceeded."""
    source: str
    """What the minimum effect allows for, to go on after these words."""
    retraining_spread: float | None = None
    """Root mean square difference of twins of the challenger; missing where it was not measured."""
    twins: int = 0
    decisions: float = 1.0
    """How many decisions this holdout has had, this one included; earlier ones on fewer rows count by their share."""
    detectable: float | None = None
    """The smallest true improvement that this holdout shows in 80 % of cases."""


def decision_number(use: HoldoutUse, earlier: Iterable[HoldoutUse | None]) -> float:
    """Return the number of a decision on its holdout, 1 for the first.

    A holdout that has grown since counts an earlier decision by the share of its rows that the decision has seen.
    """
    return 1.0 + sum(
        min(1.0, before.rows / use.rows) for before in earlier if before is not None and before.holdout == use.holdout
    )


def spent_alpha(confidence: float, number: float) -> float:
    """Return the error that the k-th decision on one holdout may make: (1 - confidence) / k^2.

    Any number of decisions together promote by chance with at most 1.65 times the first one's probability.
    Source: alpha spending over an unbounded sequence (Foster and Stine 2008, "Alpha-investing"; Ramdas et al. 2017).
    """
    return (1 - confidence) / number**2


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a minimum effect is derived from.

    Attributes:
        effect: the improvement in the primary metric.
        units: independent units of the holdout: rows, groups, or blocks of time.
        number: of the decision on its holdout.
    """

    effect: Effect
    units: int
    number: float


def required_effect(
    evidence: Evidence, rule: PromotionSpec, retraining: Callable[[], RetrainingNoise]
) -> RequiredEffect:
    """Return the improvement that a challenger must exceed in `promotion.confidence` of the resamples.

    Few units and repeated decisions widen the interval (Student's quantile, `spent_alpha`). Twins are fitted only
    where the resamples favour the challenger without them: otherwise the champion stays whatever they show.

    Args:
        evidence: the comparison on the holdout.
        rule: gives `minimum_effect` and `confidence`.
        retraining: fits the twins.
    """
    spread = evidence.effect.spread
    if not math.isfinite(spread):
        return RequiredEffect(
            minimum_effect=0.0,
            source="no noise, as too few resamples have an improvement",
            decisions=evidence.number,
        )
    resampled = _normal(rule.confidence) * spread
    holdout = _student(1 - spent_alpha(rule.confidence, evidence.number), max(evidence.units - 1, 1)) * spread
    holdout *= math.sqrt(evidence.units / max(evidence.units - 1, 1))
    noise = RetrainingNoise(None, 0)
    if rule.minimum_effect != "auto":
        needed, source = (
            holdout + rule.minimum_effect,
            f"the holdout's noise and promotion.minimum_effect of {rule.minimum_effect:.4g}",
        )
    elif evidence.effect.share_above(holdout - resampled) < rule.confidence:
        needed, source = holdout, "the holdout's noise"
    else:
        noise = retraining()
        needed = math.hypot(holdout, _of_retraining(noise, evidence, rule, otherwise=holdout))
        source = f"the noise between retrainings, by {noise.twins} pairs of fits on halves of the rows"
        if noise.spread is None:
            source = f"the holdout's noise, as retrainings cannot be compared ({noise.reason})"
    return RequiredEffect(
        minimum_effect=max(needed - resampled, 0.0),
        source=source,
        retraining_spread=noise.spread,
        twins=noise.twins,
        decisions=evidence.number,
        detectable=needed + _normal(_POWER) * spread,
    )


def _of_retraining(noise: RetrainingNoise, evidence: Evidence, rule: PromotionSpec, *, otherwise: float) -> float:
    """Return the quantile of the difference of two retrainings."""
    if noise.spread is None:
        return otherwise
    repeated = _normal(1 - spent_alpha(rule.confidence, evidence.number)) / _normal(rule.confidence)
    return noise.spread * _student(rule.confidence, noise.twins) * repeated


def _normal(share: float) -> float:
    from scipy.stats import norm

    return float(norm.ppf(share))


def _student(share: float, freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf(share, freedom))
