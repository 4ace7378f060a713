"""The choice between families that are as good as each other: the simpler one.

After the one-standard-error rule (Breiman et al. 1984, "Classification and Regression Trees", section 3.4.3), but of
the paired difference, and narrower: within one standard error the better model is better in up to 84 % of the
resamples, and giving it up cost 1 to 3 % of the metric on public tables.
"""

from collections.abc import Sequence

from assay.learning.estimators.ensembles import family_of
from assay.learning.evaluation.bootstrap import Paired, Units, effects
from assay.learning.evaluation.metrics import primary_metric
from assay.learning.tuning.blending import Finished, ValidationRows
from assay.learning.tuning.workers import TrialInputs
from assay.results.search_result import BestHyperparameters, Tie

BETTER = 0.6
"""Share of the resamples in which the best family is better: below it, it is as good as a simpler one."""


def simplest(best: BestHyperparameters, finished: Sequence[Finished], inputs: TrialInputs) -> BestHyperparameters:
    """Return the best trial of the simplest family that is tied with the best one, else the best one.

    Args:
        best: of all trials.
        finished: the best complete trial of each family, as far as there is time for their final fits; best first.
        inputs: of the search.
    """
    if not finished or finished[0].family != best.family:  # the best trial has no predictions
        return best
    spec = inputs.spec
    costs = {each.family: family_of(each.family, spec.task, spec.model).card.cost for each in finished}
    simpler = [each for each in finished if costs[each.family] < costs[best.family]]
    rows = ValidationRows.of(inputs)
    for each in sorted(simpler, key=lambda each: costs[each.family]):
        tie = _tie(finished[0], each, rows, inputs)
        if tie is not None:
            chosen = {"family": each.family, "parameters": each.parameters, "value": each.measured.value, "tie": tie}
            return best.model_copy(update={**chosen, "latency_ms": each.measured.latency_ms})
    return best


def _tie(first: Finished, other: Finished, rows: ValidationRows, inputs: TrialInputs) -> Tie | None:
    """Return the tie of the best trial and another one; None where the best is better."""
    pair = Paired(rows.truth, rows.predictions(other), rows.predictions(first))
    metric, seed = primary_metric(inputs.spec), inputs.spec.training.seed
    (effect,) = effects([(metric, None)], pair, Units(groups=rows.groups), seed)
    share = effect.share_above(0.0)
    if effect.value is None or share >= BETTER:
        return None
    return Tie(family=first.family, difference=effect.value, share=share)
