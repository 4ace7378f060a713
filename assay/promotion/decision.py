"""Whether a challenger replaces the champion."""

from typing import Literal, TypeAlias

from pydantic import Field

from assay.data.frames import reads_alike
from assay.errors import LearningError, MetricUnavailableError
from assay.learning.evaluation.bootstrap import RESAMPLES, PairedComparison, compare
from assay.learning.evaluation.evaluating import beats_baseline, failed_minimum, truth_of
from assay.learning.evaluation.metrics import Measured, Metric, measure, primary_metric
from assay.learning.evaluation.predictions import Predictions, predict
from assay.learning.splitting import Split
from assay.results.evaluation_report import EvaluationReport
from assay.results.trained_model import ModelManifest, TrainedModel
from assay.specs.base import Spec
from assay.specs.operations import PromotionSpec
from assay.specs.pipeline import PipelineSpec

NO_CHAMPION = "there is no champion yet"
Verdict: TypeAlias = Literal[
    "promoted", "kept_champion", "rejected_below_minimum", "rejected_below_baseline", "needs_approval"
]
"""`needs_approval`: the champion stays until a person approves the challenger."""


class PromotionDecision(Spec):
    """The verdict on a challenger, with its evidence; stored JSON calls the challenger `candidate`."""

    verdict: Verdict
    reason: str
    """One sentence for people."""
    metric: str
    """Name of the primary metric."""
    challenger_value: float = Field(validation_alias="candidate_value", serialization_alias="candidate_value")
    """The challenger's primary metric on the holdout."""
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
    failed_minimum: dict[str, float | None] = {}
    """Metrics beyond their bound, with their values; None where a metric could not be computed."""

    @property
    def promotes(self) -> bool:
        """Whether the challenger becomes champion."""
        return self.verdict == "promoted"

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
) -> PromotionDecision:
    """Decide whether a challenger becomes champion.

    In this order: a challenger that misses `evaluation.minimum`, or is no better than the baseline, is rejected. A
    challenger whose classes replace some of the champion's under the same schema version is not promoted: other labels
    are a change of the data, which a new schema version states. Without a comparable champion (none yet, a missing
    column, further classes) the challenger is promoted with that reason. A challenger of an older time partition than
    the champion's is not promoted, since a backfill must not replace a newer model. Otherwise both
    predict the same holdout rows, and the challenger is promoted only if, in at least `promotion.confidence` of the
    paired bootstrap resamples, it improves the primary metric by more than `promotion.minimum_effect`.

    Raises:
        LearningError: the report is about other holdout rows.
        MetricUnavailableError: the challenger's primary metric cannot be computed.
    """
    _require_same_rows(report, split, spec)
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
    if champion is not None and (replaced := _replaced_classes(champion.manifest, split, spec)):
        return _kept(replaced, report, primary)
    reason = NO_CHAMPION if champion is None else incompatibility_reason(champion.manifest, split, spec)
    if champion is None or reason:
        return _without_comparison(reason, report, primary)
    if spec.dataset.partitions.is_time and _newest(challenger) < _newest(champion):
        older = f"it is of {_newest(champion)}, this model of the older {_newest(challenger)}"
        return _kept(older, report, primary)
    return _compared(champion, challenger, split, primary, spec)


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


def _replaced_classes(champion: ModelManifest, split: Split, spec: PipelineSpec) -> str:
    """Return how classes replace the champion's; empty where none do, or where the schema version is new."""
    if (champion.task, champion.target) != (spec.task, spec.dataset.target):
        return ""
    gone = [str(label) for label in champion.classes if label not in split.classes]
    new = [str(label) for label in split.classes if label not in champion.classes]
    if not (gone and new) or champion.features.version != split.features.version:
        return ""
    return (
        f"the rows have the classes {', '.join(new)} instead of its {', '.join(gone)}; correct the labels, or raise "
        "dataset.schema_version if the change is intended"
    )


def _newest(model: TrainedModel) -> str:
    """Return the newest partition of a model's window, the holdout included."""
    return max(model.manifest.data_digests)


def _without_comparison(reason: str, report: EvaluationReport, primary: Metric) -> PromotionDecision:
    minimum = "meets every minimum" if report.minimum else "has no minimum to meet"
    return PromotionDecision(
        verdict="promoted",
        reason=f"Promoted without a comparison, as {reason}; the challenger {minimum}.",
        metric=primary.name,
        challenger_value=report.metrics[primary.name],
    )


def _compared(
    champion: TrainedModel, challenger: TrainedModel, split: Split, primary: Metric, spec: PipelineSpec
) -> PromotionDecision:
    truth = truth_of(split.holdout)
    old, new = predicted(champion, split, spec), predicted(challenger, split, spec)
    before, after = measure(primary, truth, old), measure(primary, truth, new)
    if after.value is None:
        raise MetricUnavailableError(
            f"the challenger's {primary.name} cannot be computed: {after.reason}",
            where=f"pipeline {spec.name}, promotion",
            expected="the value that its report has",
            remedy="materialise evaluation_report again",
        )
    rule = spec.promotion
    found = compare(
        primary,
        truth,
        old,
        new,
        minimum_effect=rule.minimum_effect,
        confidence=rule.confidence,
        seed=spec.training.seed,
    )
    better = found.share_better >= rule.confidence
    return PromotionDecision(
        verdict="promoted" if better else "kept_champion",
        reason=_outcome(primary, before, after, found, rule),
        metric=primary.name,
        challenger_value=after.value,
        champion_value=before.value,
        effect=found.effect,
        effect_lower_bound=found.lower_bound,
        share_better=found.share_better,
        resamples=found.resamples,
    )


def predicted(model: TrainedModel, split: Split, spec: PipelineSpec) -> Predictions:
    """Return a model's predictions of the holdout rows."""
    from assay.learning.estimators.assembly import limited_threads

    features = split.holdout.features[list(model.manifest.features.names)]
    with limited_threads(spec.training.threads):
        return predict(model.estimator, features, model.manifest.classes, spec.task)


def incompatibility_reason(champion: ModelManifest, split: Split, spec: PipelineSpec) -> str:
    """Return why the champion cannot predict these rows, or an empty string."""
    if (champion.task, champion.target) != (spec.task, spec.dataset.target):
        return f"the champion predicts something else ({champion.task} of '{champion.target}')"
    if not set(split.classes) <= set(champion.classes):
        return f"the champion knows other classes ({', '.join(map(str, champion.classes))})"
    missing = [name for name in champion.features.names if name not in split.features.names]
    if missing:
        return f"the champion needs columns that these rows do not have ({', '.join(missing)})"
    changed = [c.name for c in champion.features.columns if split.features[c.name].role != c.role]
    if changed:
        return f"the champion was fitted with other roles of columns ({', '.join(changed)})"
    retyped = [c.name for c in champion.features.columns if not reads_alike(c, split.features[c.name])]
    if retyped:
        return f"the champion was fitted with other dtypes of columns ({', '.join(retyped)})"
    return ""


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


def _outcome(primary: Metric, before: Measured, after: Measured, found: PairedComparison, rule: PromotionSpec) -> str:
    if before.value is None:
        return f"Kept the champion: its {primary.name} cannot be computed on these rows ({before.reason})."
    verdict = "Promoted" if found.share_better >= rule.confidence else "Kept the champion"
    return (
        f"{verdict}: {primary.name} went from {before.value:.4g} to {after.value:.4g}, an improvement of more than "
        f"{rule.minimum_effect:.4g} in {found.share_better:.0%} of {RESAMPLES} resamples of the holdout "
        f"({rule.confidence:.0%} are required)."
    )
