"""Whether a challenger replaces the champion."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, TypeAlias

from pydantic import Field

from assay.counting import percent
from assay.errors import LearningError
from assay.learning.evaluation.bootstrap import RESAMPLES
from assay.learning.evaluation.evaluating import beats_baseline, failed_minimum
from assay.learning.evaluation.metrics import Metric, primary_metric
from assay.learning.splitting import Split
from assay.promotion.comparable_rows import comparable_rows, has_new_schema, nothing_in_common, replaced_classes
from assay.promotion.comparison import ComparedValues, Comparison, compare_models
from assay.promotion.minimum_effect import HoldoutUse, RequiredEffect
from assay.promotion.safeguards import Promotion, SafeguardResult, guard
from assay.results.evaluation_report import EvaluationReport
from assay.results.trained_model import TrainedModel
from assay.specs.base import Spec
from assay.specs.operations import PromotionSpec
from assay.specs.pipeline import PipelineSpec

NO_CHAMPION = "there is no champion"
_OWN_ROWS_UNKNOWN = (
    "which rows the challenger has learned from is not known, since it is or continues a model of an earlier version; "
    "training it with scenario: full records them"
)
_UNTIL_APPROVED = "The champion stays until a person approves the challenger."
Verdict: TypeAlias = Literal[
    "promoted",
    "kept_champion",
    "rejected_below_minimum",
    "rejected_below_baseline",
    "needs_approval",
    "blocked_by_safeguard",
]
"""`blocked_by_safeguard`: better in the primary metric, but a safeguard did not pass;
`needs_approval`: the champion stays until a person approves the challenger."""


class PromotionDecision(Spec):
    """The verdict on a challenger, with its evidence; stored JSON calls the challenger `candidate`."""

    verdict: Verdict
    reason: str
    """One sentence for people."""
    metric: str
    """Name of the primary metric."""
    challenger_value: float = Field(validation_alias="candidate_value", serialization_alias="candidate_value")
    """The challenger's primary metric on the compared rows, or without a comparison on the holdout."""
    holdout_value: float | None = None
    """The challenger's on the whole holdout, where models were compared."""
    holdout_interval: tuple[float, float] | None = None
    """The 95 % interval of the challenger's value on its whole holdout; missing in decisions of earlier versions."""
    baseline_value: float | None = None
    """The baseline's, on its whole holdout; missing where it has none, and in decisions of earlier versions."""
    champion_value: float | None = None
    """The champion's, on the same rows; missing without a comparable champion."""
    effect: float | None = None
    """Improvement over the champion in the metric's unit; positive is better for every metric."""
    effect_lower_bound: float | None = None
    """Lower end of the one-sided bootstrap interval of the effect, at the promotion's confidence."""
    share_better: float | None = None
    """Share of resamples in which the improvement exceeds the minimum effect."""
    resamples: int = 0
    """Resamples in which the metric could be computed."""
    required: RequiredEffect | None = None
    """The minimum effect and its derivation; missing without a comparison, and in decisions of earlier versions."""
    holdout: HoldoutUse | None = None
    """The holdout, as later decisions count this one; missing without a comparison."""
    safeguards: tuple[SafeguardResult, ...] = ()
    """What may block a promotion; empty where the challenger is not better."""
    failed_minimum: dict[str, float | None] = {}
    """Metrics beyond their bound, with their values; None where a metric could not be computed."""
    compared_rows: int | None = None
    """Holdout rows that neither model has learned from, of classes that the champion knows."""
    learned_rows: int = 0
    """Holdout rows left out because one of the models may have learned from them."""
    unknown_class_rows: int = 0
    """Holdout rows left out because the champion does not know their class."""
    values: tuple[ComparedValues, ...] = ()
    """Every metric of both models on the compared rows, and on the declared slices; empty without a comparison, and in
    decisions of earlier versions."""
    training_rows_known: bool = True
    """Whether it is known which rows the champion learned from; models of earlier versions do not say."""

    @property
    def promotes(self) -> bool:
        """Whether the challenger becomes champion."""
        return self.verdict == "promoted"

    @property
    def value_at_promotion(self) -> float:
        """The challenger's primary metric on its whole holdout, which monitoring compares later values with."""
        return self.challenger_value if self.holdout_value is None else self.holdout_value

    @property
    def needs_approval(self) -> bool:
        """Whether the champion stays until a person approves the challenger."""
        return self.verdict == "needs_approval"

    def held(self, why: str) -> "PromotionDecision":
        """Return the decision that asks a person in place of promoting, for one more reason if it asks already.

        A decision that keeps the champion or rejects the challenger stays as it is.
        """
        if not (self.promotes or self.needs_approval):
            return self
        reason = f"{self.reason} Also: {why}." if self.needs_approval else f"Needs approval: {why}. {self.reason}"
        return self.model_copy(update={"verdict": "needs_approval", "reason": reason})

    def kept(self, why: str) -> "PromotionDecision":
        """Return the decision that keeps the champion, with the same evidence."""
        return self.model_copy(update={"verdict": "kept_champion", "reason": f"Not promoted: {why}."})


def decide(
    challenger: TrainedModel,
    champion: TrainedModel | None,
    split: Split,
    report: EvaluationReport,
    spec: PipelineSpec,
    earlier: Iterable[HoldoutUse | None] = (),
) -> PromotionDecision:
    """Decide whether a challenger becomes champion.

    In this order:

    1. A challenger that misses `evaluation.minimum`, or is no better than the baseline, is rejected.
    2. Without a champion the challenger is promoted.
    3. A challenger of an older time partition than the champion's is not promoted, since a backfill must not replace a
       newer model. Neither is one whose classes replace some of the champion's under the same schema version.
    4. Where the champion can judge none of the rows (another target, a missing column, no two common classes), a
       person is asked.
    5. Otherwise both predict the holdout rows that neither has learned from and whose class the champion knows; with
       fewer than `promotion.min_rows` of them the champion stays. The challenger is promoted if, in at least
       `promotion.confidence` of the paired bootstrap resamples, it improves the primary metric by more than
       `promotion.minimum_effect`, and no safeguard blocks it.
    6. If it does not, the champion stays; but a person is asked where the comparison favoured the champion (a model of
       an earlier version, whose training rows are unknown) or left out what a new schema version brought (classes that
       the champion does not know).
    7. A challenger that would be promoted waits for a person while the report doubts its holdout.

    A person is also asked before a challenger is promoted that continued from a model of an earlier version, since its
    own values may be too good.

    Args:
        challenger: the new model.
        champion: the model that is in use, if any.
        split: the rows.
        report: the challenger's evaluation on the split's holdout.
        spec: the pipeline.
        earlier: the holdouts of earlier decisions about the registered model; the more there were on this one, the
            more a challenger must show.

    Raises:
        LearningError: the report is about other holdout rows.
        MetricUnavailableError: the challenger's primary metric cannot be computed.
    """
    _require_same_rows(report, split, spec)
    decision = _decided(champion, Promotion(challenger, split, report, spec), earlier)
    name = report.primary_metric
    shown = {"holdout_interval": report.intervals.get(name), "baseline_value": report.baseline.get(name)}
    decision = decision.model_copy(update=shown)
    if not report.training_rows_known:
        decision = decision.held(_OWN_ROWS_UNKNOWN)
    return decision.held(f"the holdout may be too good: {'; '.join(report.doubts)}") if report.doubts else decision


def _decided(
    champion: TrainedModel | None, promotion: Promotion, earlier: Iterable[HoldoutUse | None]
) -> PromotionDecision:
    challenger, split, report, spec = promotion.challenger, promotion.split, promotion.report, promotion.spec
    primary = primary_metric(spec)
    failed = failed_minimum(report)
    if failed:
        return PromotionDecision(
            verdict="rejected_below_minimum",
            reason=_below_minimum(failed, report),
            metric=primary.name,
            challenger_value=report.metrics[primary.name],
            failed_minimum=failed,
        )
    if report.must_beat_baseline and not beats_baseline(report):
        return _no_better_than_baseline(report, primary)
    if champion is None:
        return _guarded(_first(report, primary), promotion)
    if why := _older(challenger, champion, spec) or replaced_classes(champion.manifest, split, spec):
        return _kept(why, report, primary)
    if why := nothing_in_common(champion.manifest, split, spec):
        return _asked(why, report, primary)
    return _on_comparable_rows(champion, promotion, earlier)


def _on_comparable_rows(
    champion: TrainedModel, promotion: Promotion, earlier: Iterable[HoldoutUse | None]
) -> PromotionDecision:
    challenger, split, report, spec = promotion.challenger, promotion.split, promotion.report, promotion.spec
    rows, primary = comparable_rows(champion.manifest, challenger.manifest, split, spec), primary_metric(spec)
    counts = {
        "compared_rows": len(rows.positions),
        "learned_rows": rows.learned,
        "unknown_class_rows": rows.unknown_class,
        "training_rows_known": not rows.unrecorded,
    }
    needed = spec.promotion.min_rows
    if len(rows.positions) < needed:
        few = f"there are only {rows.description}, and promotion.min_rows asks for {needed}"
        refuse = _asked if len(rows.positions) + rows.unknown_class >= needed else _kept
        return refuse(few, report, primary).model_copy(update=counts)
    made = compare_models(champion, challenger, split, rows, spec, earlier)
    decision = _compared(made, spec.promotion).model_copy(
        update=counts | {"holdout_value": report.metrics[primary.name]}
    )
    if decision.promotes:
        return _guarded(decision, replace(promotion, made=made))
    if rows.unrecorded:
        return _needs_person(decision, "which rows the champion has learned from is not known")
    if rows.unknown_class and has_new_schema(champion.manifest, split):
        return _needs_person(decision, "the champion does not know the classes of the new schema version")
    return decision


def _guarded(decision: PromotionDecision, promotion: Promotion) -> PromotionDecision:
    """Return a decision to promote with what its safeguards found, blocked where one did not pass."""
    results = guard(promotion)
    blocked = [f"{each.name}: {each.statement}" for each in results if not each.passed]
    found: dict[str, object] = {"safeguards": results}
    if blocked:
        reason = f"Blocked by {'; '.join(blocked)}. Without that: {decision.reason}"
        found |= {"verdict": "blocked_by_safeguard", "reason": reason}
    return decision.model_copy(update=found)


def _kept(why: str, report: EvaluationReport, primary: Metric) -> PromotionDecision:
    return PromotionDecision(
        verdict="kept_champion",
        reason=f"Kept the champion: {why}.",
        metric=primary.name,
        challenger_value=report.metrics[primary.name],
    )


def _no_better_than_baseline(report: EvaluationReport, primary: Metric) -> PromotionDecision:
    value, baseline = report.metrics[primary.name], report.baseline[primary.name]
    return PromotionDecision(
        verdict="rejected_below_baseline",
        reason=f"Rejected: {primary.name} is {value:.4g}, no better than {baseline:.4g} of the baseline, which ignores "
        "the features. Change the features or the model, or set evaluation.must_beat_baseline to false.",
        metric=primary.name,
        challenger_value=value,
    )


def _older(challenger: TrainedModel, champion: TrainedModel, spec: PipelineSpec) -> str:
    own, champions = _newest(challenger), _newest(champion)
    is_older = spec.dataset.partitions.is_time and own < champions
    return f"it is of {champions}, this model of the older {own}" if is_older else ""


def _newest(model: TrainedModel) -> str:
    """Return the newest partition of a model's window, the holdout included."""
    return max(model.manifest.data_digests)


def _first(report: EvaluationReport, primary: Metric) -> PromotionDecision:
    minimum = "meets every minimum" if report.minimum else "has no minimum to meet"
    return PromotionDecision(
        verdict="promoted",
        reason=f"Promoted without a comparison, as {NO_CHAMPION}; the challenger {minimum}.",
        metric=primary.name,
        challenger_value=report.metrics[primary.name],
    )


def _asked(why: str, report: EvaluationReport, primary: Metric) -> PromotionDecision:
    return PromotionDecision(
        verdict="needs_approval",
        reason=f"Needs approval: {why}. {_UNTIL_APPROVED}",
        metric=primary.name,
        challenger_value=report.metrics[primary.name],
    )


def _needs_person(decision: PromotionDecision, why: str) -> PromotionDecision:
    """Return a decision that kept the champion as one that asks a person."""
    reason = f"Needs approval: {why}, and the comparison does not show the challenger better. {decision.reason}"
    return decision.model_copy(update={"verdict": "needs_approval", "reason": f"{reason} {_UNTIL_APPROVED}"})


def _compared(made: Comparison, rule: PromotionSpec) -> PromotionDecision:
    effect, required = made.effect, made.required
    share = effect.share_above(required.minimum_effect)
    return PromotionDecision(
        verdict="promoted" if share >= rule.confidence else "kept_champion",
        reason=_outcome(made, share, rule),
        metric=made.primary.name,
        challenger_value=made.after,
        champion_value=made.before.value,
        values=made.values,
        effect=effect.value,
        effect_lower_bound=effect.lower_bound(rule.confidence),
        share_better=share,
        resamples=len(effect.known),
        required=required,
        holdout=made.use,
    )


def _require_same_rows(report: EvaluationReport, split: Split, spec: PipelineSpec) -> None:
    if report.holdout_digest != split.holdout_digest:
        raise LearningError(
            "the evaluation report is about other holdout rows",
            where=f"pipeline {spec.name}, promotion",
            found=f"holdout digest {report.holdout_digest[:16]}",
            expected=f"holdout digest {split.holdout_digest[:16]}",
            remedy="materialise evaluation_report again, with the same run parameters as this run",
        )


def _below_minimum(failed: dict[str, float | None], report: EvaluationReport) -> str:
    parts = [
        f"{name} is {'missing' if value is None else f'{value:.4g}'} against a bound of {report.minimum[name]:.4g}"
        for name, value in failed.items()
    ]
    return f"Rejected: {'; '.join(parts)}."


def _outcome(made: Comparison, share: float, rule: PromotionSpec) -> str:
    name, required, before = made.primary.name, made.required, made.before
    if before.value is None:
        return f"Kept the champion: its {name} cannot be computed on these rows ({before.reason})."
    if made.effect.is_zero:
        return (
            f"Kept the champion: {name} is {made.after:.4g} with both models in each of {RESAMPLES} resamples of "
            f"{made.rows.description}, so the challenger is no better."
        )
    promoted = share >= rule.confidence
    sentence = (
        f"{'Promoted' if promoted else 'Kept the champion'}: {name} went from {before.value:.4g} to {made.after:.4g}, "
        f"an improvement of more than {required.minimum_effect:.4g} in {percent(share)} of {RESAMPLES} resamples of "
        f"{made.rows.description} ({percent(rule.confidence)} are required). {_minimum_in_words(required)}"
    )
    if promoted or required.detectable is None:
        return sentence
    return f"{sentence} The smallest improvement that this holdout shows reliably is {required.detectable:.2g}."


def _minimum_in_words(required: RequiredEffect) -> str:
    """Return what the minimum effect allows for; an earlier decision on fewer rows counts by their share."""
    earlier = required.decisions - 1
    also = f", and for earlier decisions on this holdout, which count as {earlier:.3g}" if earlier > 0 else ""
    return f"The minimum of {required.minimum_effect:.4g} allows for {required.source}{also}."
