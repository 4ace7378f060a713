"""Checks of predictions before they are published: what would be wrong whatever the truth turns out to be."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from assay.learning.evaluation.predictions import Predictions, codes
from assay.learning.prediction_reference import missing_in
from assay.results.prediction_reference import PredictionReference
from assay.results.trained_model import ModelManifest
from assay.specs.operations import PredictionChecks

if TYPE_CHECKING:
    import pandas as pd

_SUM_TOLERANCE = 1e-6
_CHANCE = 0.001
"""How often chance alone exceeds what is allowed for it."""
_NO_ROWS = "not checked: there are no rows to predict"
_NOT_RECORDED = "not checked: a model of an earlier version records nothing to compare with"


@dataclass(frozen=True, slots=True)
class PredictionCheck:
    """What one check found.

    Attributes:
        name: of the check.
        passed: whether it holds.
        found: what was found, in words.
        expected: what should be.
        numbers: the figures behind it.
    """

    name: str
    passed: bool
    found: str
    expected: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Predicted:
    """Predictions of a batch and what they were made of.

    Attributes:
        found: the predictions.
        features: shape (rows, features): the feature frame.
        rows: number of rows that were to be predicted.
        keys: columns of these rows that name them.
        published: the table to publish.
    """

    found: Predictions
    features: "pd.DataFrame"
    rows: int
    keys: pa.Table
    published: pa.Table


Rule = Callable[[Predicted, ModelManifest, PredictionChecks], PredictionCheck]
CHECKS: dict[str, Rule] = {}
"""Every check by its name, which is the asset check's too."""


def checked(name: str) -> Callable[[Rule], Rule]:
    """Register a check."""

    def register(rule: Rule) -> Rule:
        CHECKS[name] = rule
        return rule

    return register


def check_predictions(
    predicted: Predicted, manifest: ModelManifest, asked: PredictionChecks
) -> Iterator[PredictionCheck]:
    """Yield what each check found."""
    for rule in CHECKS.values():
        yield rule(predicted, manifest, asked)


def check_rows(found: Predictions, manifest: ModelManifest, asked: PredictionChecks) -> Iterator[PredictionCheck]:
    """Yield what the checks found that judge each prediction by itself."""
    yield finite_in(found, manifest)
    yield in_range_of(found, manifest, asked)


@checked("predictions_complete")
def complete(predicted: Predicted, _: ModelManifest, __: PredictionChecks) -> PredictionCheck:
    """Check that each row has one prediction, under its own key."""
    published = predicted.published
    same = published.num_rows == predicted.rows and all(
        published.column(name).equals(predicted.keys.column(name)) for name in predicted.keys.column_names
    )
    return PredictionCheck(
        "predictions_complete",
        same,
        f"{published.num_rows:,} predictions for {predicted.rows:,} rows",
        "one prediction for each row, under its own key",
        {"rows": predicted.rows, "predictions": published.num_rows},
    )


@checked("predictions_finite")
def finite(predicted: Predicted, manifest: ModelManifest, _: PredictionChecks) -> PredictionCheck:
    """Check that values are finite, and that probabilities are some."""
    return finite_in(predicted.found, manifest)


def finite_in(found: Predictions, manifest: ModelManifest) -> PredictionCheck:
    """Check single predictions as `finite` does."""
    bad = np.zeros(len(found.labels), dtype=bool)
    if not manifest.task.is_classification:
        bad |= ~np.isfinite(found.labels)
    shares = found.probabilities
    if shares is not None:
        with np.errstate(invalid="ignore"):
            bad |= ~(((shares >= 0) & (shares <= 1)).all(axis=1) & (np.abs(shares.sum(axis=1) - 1) <= _SUM_TOLERANCE))
    return _of_rows("predictions_finite", bad, "finite values, and probabilities that add up to 1")


@checked("predictions_in_range")
def in_range(predicted: Predicted, manifest: ModelManifest, asked: PredictionChecks) -> PredictionCheck:
    """Check that a regression predicts within the range of its training targets, and a margin."""
    return in_range_of(predicted.found, manifest, asked)


def in_range_of(found: Predictions, manifest: ModelManifest, asked: PredictionChecks) -> PredictionCheck:
    """Check single predictions as `in_range` does."""
    reference = manifest.reference
    if manifest.task.is_classification:
        known = codes(found.labels, manifest.classes) < len(manifest.classes)
        return _of_rows("predictions_in_range", ~known, "classes of the training rows")
    if reference is None or reference.low is None or reference.high is None:
        return PredictionCheck("predictions_in_range", passed=True, found=_NOT_RECORDED, expected="")
    margin = asked.range_margin * (reference.high - reference.low)
    low, high = reference.low - margin, reference.high + margin
    values = found.labels
    text = f"from {low:.6g} to {high:.6g}: the training targets and {asked.range_margin:g} of their range beyond"
    return _of_rows("predictions_in_range", (values < low) | (values > high), text)


@checked("predictions_as_holdout")
def as_holdout(predicted: Predicted, manifest: ModelManifest, asked: PredictionChecks) -> PredictionCheck:
    """Check that the distribution is like that of the holdout's predictions, beyond what chance explains.

    Classes are compared by the total variation distance, values by Kolmogorov and Smirnov's. The allowance for chance
    is the two-sample form of the inequality of Dvoretzky, Kiefer and Wolfowitz (Wei and Dudley 2012), for classes with
    the constant of Weissman et al. (2003).
    """
    reference = manifest.reference
    if not predicted.rows:
        return PredictionCheck("predictions_as_holdout", passed=True, found=_NO_ROWS, expected="")
    if reference is None or not reference.rows:
        return PredictionCheck("predictions_as_holdout", passed=True, found=_NOT_RECORDED, expected="")
    if manifest.task.is_classification:
        distance = _between_classes(predicted.found.labels, manifest, reference)
        events = max(len(manifest.classes), 2)
        constant = events * np.log(2) + np.log(1 - 2 ** (1 - events)) - np.log(_CHANCE)
    else:
        distance = _between_values(predicted.found.labels, reference)
        constant = np.log(2 / _CHANCE)
    chance = float(np.sqrt(constant / 2 * (1 / predicted.rows + 1 / reference.rows)))
    allowed = min(asked.max_change + chance, 1.0)
    return PredictionCheck(
        "predictions_as_holdout",
        bool(distance <= allowed),
        f"a distance of {distance:.3f} from the holdout's predictions",
        f"at most {asked.max_change:g}, and {chance:.3f} for chance",
        {"distance": float(distance), "allowed": float(allowed)},
    )


@checked("fallbacks_below_maximum")
def fallbacks(predicted: Predicted, manifest: ModelManifest, asked: PredictionChecks) -> PredictionCheck:
    """Check that few rows lack most of what training rows have, so that the model falls back on typical values."""
    reference = manifest.reference
    if not predicted.rows:
        return PredictionCheck("fallbacks_below_maximum", passed=True, found=_NO_ROWS, expected="")
    if reference is None or not reference.present:
        return PredictionCheck("fallbacks_below_maximum", passed=True, found=_NOT_RECORDED, expected="")
    missing = missing_in(predicted.features[list(reference.present)], manifest.features.project(reference.present))
    share = float((missing.mean(axis=1) > asked.fallback_missing).mean())
    return PredictionCheck(
        "fallbacks_below_maximum",
        share <= asked.max_fallbacks,
        f"{share:.1%} of the rows lack more than {asked.fallback_missing:.0%} of the features that are usually there",
        f"at most {asked.max_fallbacks:.1%}",
        {"share": share},
    )


def _of_rows(name: str, bad: "np.ndarray", expected: str) -> PredictionCheck:
    rows = np.flatnonzero(bad)
    first = f", the first in row {rows[0] + 1:,}" if rows.size else ""
    return PredictionCheck(
        name, rows.size == 0, f"{rows.size:,} of {bad.size:,} rows{first}", expected, {"rows": float(rows.size)}
    )


def _between_classes(labels: "np.ndarray", manifest: ModelManifest, reference: PredictionReference) -> float:
    counted = np.bincount(codes(labels, manifest.classes), minlength=len(manifest.classes)) / max(len(labels), 1)
    unknown = counted[len(manifest.classes) :].sum()
    return float((np.abs(counted[: len(manifest.classes)] - reference.shares).sum() + unknown) / 2)


def _between_values(values: "np.ndarray", reference: PredictionReference) -> float:
    """Return the largest difference of the two distribution functions."""
    known, other = np.sort(values[np.isfinite(values)]), np.asarray(reference.quantiles)
    points = np.concatenate([known, other])
    sides = [np.searchsorted(each, points, side="right") / max(each.size, 1) for each in (known, other)]
    return float(np.abs(sides[0] - sides[1]).max(initial=0.0))
