"""The other families of a search on the holdout, after the choice: what a reader compares, and nothing decides by."""

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assay.learning.deciding import decided
from assay.learning.estimators.assembly import limited_threads
from assay.learning.evaluation.evaluating import truth_of
from assay.learning.evaluation.metrics import measure, primary_metric
from assay.learning.evaluation.predictions import predictions_of
from assay.learning.latency import latency_ms
from assay.learning.persistence import estimator_bytes
from assay.learning.splitting import Split
from assay.learning.training import fitted
from assay.results.search_result import BestHyperparameters, TrialRecord
from assay.specs.pipeline import PipelineSpec

MOST_SECONDS = 600.0
"""What the trials of all that are fitted may have taken together; families after that are not fitted."""
_LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Rival:
    """The best trial of a family, fitted on all training rows as the chosen model is.

    Attributes:
        holdout: the primary metric; None where it has no value.
        seconds: of the fit, with calibration and threshold where the pipeline asks for them.
        microseconds: per row of 1,000 predicted together.
        megabytes: of the fit as it would be stored.
        reason: why something is missing.
    """

    holdout: float | None = None
    seconds: float | None = None
    microseconds: float | None = None
    megabytes: float | None = None
    reason: str = ""


def best_trials(best: BestHyperparameters) -> dict[str, TrialRecord]:
    """Return the best complete trial of each family, the best family first."""
    sign = -1 if best.direction == "maximize" else 1
    valued = [(sign * each.value, each) for each in best.trials if each.state == "complete" and each.value is not None]
    found: dict[str, TrialRecord] = {}
    for _, trial in sorted(valued, key=lambda pair: (pair[0], pair[1].number)):
        found.setdefault(trial.family, trial)
    return found


def rivals_of(split: Split, best: BestHyperparameters, spec: PipelineSpec, chosen: str) -> dict[str, Rival]:
    """Return every other family of a search, by name; empty where the pipeline does not ask for them.

    The chosen family was decided on validation rows, and the verdict on the chosen model alone, before this is
    measured.

    Args:
        split: the rows of the chosen model.
        best: the search.
        spec: the pipeline.
        chosen: its family.
    """
    if not spec.evaluation.compare_families:
        return {}
    return dict(_rivals(split, [each for each in best_trials(best).values() if each.family != chosen], best, spec))


def _rivals(
    split: Split, trials: Sequence[TrialRecord], best: BestHyperparameters, spec: PipelineSpec
) -> Iterator[tuple[str, Rival]]:
    spent = 0.0
    for trial in trials:
        spent += trial.seconds
        if spent > MOST_SECONDS:
            yield trial.family, Rival(reason=_too_long(spent))
            continue
        recipe = best.model_copy(update={"family": trial.family, "parameters": trial.parameters, "ensemble_gain": None})
        yield trial.family, _measured(split, recipe, spec)


def _too_long(seconds: float) -> str:
    """Return why a family is not fitted once more, of the seconds of the best trials up to its own."""
    return f"not fitted for this table: with its own, the best trials took {seconds:,.0f} s"


def _measured(split: Split, recipe: BestHyperparameters, spec: PipelineSpec) -> Rival:
    began = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of models that are not used
            estimator = decided(fitted(split.train, split.features, recipe, spec), split, recipe, spec)
            seconds = time.perf_counter() - began
            with limited_threads(spec.training.threads):
                predictions = predictions_of(estimator, split.holdout, split.classes, spec.task)
                microseconds = latency_ms(estimator.predict, split.holdout.features)  # milliseconds of 1,000 rows
            found = measure(primary_metric(spec), truth_of(split.holdout), predictions)
            size = len(estimator_bytes(estimator)) / 1e6
    except Exception as error:  # noqa: BLE001 - a model may raise anything, and its row says what
        return Rival(reason=f"not fitted: {type(error).__name__}: {str(error)[:_LONGEST_REASON]}")
    reason = f"no holdout score: {found.reason[:_LONGEST_REASON]}" if found.value is None else ""
    return Rival(found.value, seconds, microseconds, size, reason)
