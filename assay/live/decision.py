"""Whether a challenger that is better on live predictions may replace the champion."""

from collections.abc import Mapping
from typing import TypeAlias

from assay.learning.evaluation.metrics import metric
from assay.live.comparison import LiveComparison
from assay.prediction.golden import require_golden, require_repeated
from assay.prediction.predictor import Predictor
from assay.promotion.decision import PromotionDecision
from assay.results.trained_model import TrainedModel
from assay.specs.pipeline import PipelineSpec

Values: TypeAlias = Mapping[str, float]
"""Metrics by name."""


def live_decision(
    found: LiveComparison, champion: Values, challenger: Values, spec: PipelineSpec
) -> PromotionDecision | None:
    """Return the decision that follows from a verdict, as the journal records it.

    Args:
        found: the comparison; its verdict is `challenger_better`.
        champion: its metrics on what it served.
        challenger: those of the challenger, which must reach `evaluation.minimum` on live predictions too.
        spec: the pipeline.

    Returns:
        A promotion, or that the champion is kept; None where the challenger's primary metric has no value.
    """
    if found.metric not in challenger:
        return None
    last = found.looks[-1]
    decision = PromotionDecision(
        verdict="promoted",
        reason=f"Better on live predictions: {found.reason}.",
        metric=found.metric,
        challenger_value=challenger[found.metric],
        champion_value=champion.get(found.metric),
        effect=last.gain,
        effect_lower_bound=last.lower,
        compared_rows=last.champion_rows + last.challenger_rows,
    )
    missed = [
        name
        for name, bound in spec.evaluation.minimum.items()
        if name not in challenger or not metric(name, spec.task, spec.evaluation).reaches(challenger[name], bound)
    ]
    return (
        decision.kept(f"it misses evaluation.minimum on live predictions: {', '.join(missed)}") if missed else decision
    )


def problem_of(model: TrainedModel, spec: PipelineSpec, where: str) -> str:
    """Return why a model cannot be this pipeline's champion; empty where it can.

    Raises:
        GoldenReplayError: it does not repeat its golden predictions, or has none.
        AssayError: its example rows cannot be predicted.
    """
    facts = model.manifest
    if (facts.task, facts.target) != (spec.task, spec.dataset.target):
        return f"it predicts another target: {facts.task} of '{facts.target}'"
    require_golden(model, where)
    rows = list(facts.intake.example) if facts.intake is not None else []
    require_repeated(model, Predictor(model).table(rows).to_pylist(), where)
    return ""
