"""The model card: purpose, data, features, evaluation and limits of a model.

Source: Mitchell et al. (2019), "Model Cards for Model Reporting".
"""

from collections.abc import Callable, Iterable

from assay.counting import counted
from assay.credentials import redacted
from assay.markdown import code, escaped, table
from assay.promotion.decision import PromotionDecision
from assay.results.evaluation_report import EvaluationReport
from assay.results.provenance import Provenance
from assay.results.trained_model import ModelManifest, TrainedModel, annotation_in_words
from assay.specs.pipeline import PipelineSpec

_FEW_ROWS = 100


def render(
    model: TrainedModel, report: EvaluationReport, decision: PromotionDecision | None, spec: PipelineSpec
) -> str:
    """Return a model's card as markdown.

    Returns:
        Markdown, ending in a newline; the same inputs give the same text.
    """
    manifest = model.manifest
    sections = (
        [f"# {spec.registered_name}", _summary(manifest, report, decision, spec)],
        ["## Intended use", spec.intended_use or "Not described: the pipeline file has no `model_card.intended_use`."],
        ["## Data", *_data(manifest, report, spec)],
        ["## Features", *_features(manifest)],
        ["## Model", *_model(manifest)],
        ["## Evaluation", *_evaluation(report)],
        ["## Promotion", *_promotion(decision)],
        ["## Warnings", *_warnings(report)],
        ["## Limits", _listed(limits_of(manifest, report, spec, named=code))],
        ["## Reproducibility", *_reproducibility(manifest, report, spec)],
    )
    return "\n\n".join(block for section in sections for block in section if block) + "\n"


def _summary(
    manifest: ModelManifest, report: EvaluationReport, decision: PromotionDecision | None, spec: PipelineSpec
) -> str:
    return table(
        ("", ""),
        [
            ("Task", f"{manifest.task} of {code(manifest.target)}"),
            ("Family", code(manifest.family)),
            ("Design version", escaped(manifest.model_version)),
            ("Pipeline", code(spec.name)),
            ("Owners", escaped(", ".join(spec.owners) or "none named")),
            ("Primary metric", f"{code(report.primary_metric)} = {report.in_words(report.primary_metric)}"),
            ("Verdict", decision.verdict if decision else "no decision"),
        ],
    )


def _data(manifest: ModelManifest, report: EvaluationReport, spec: PipelineSpec) -> list[str]:
    classes = ", ".join(code(label) for label in manifest.classes)
    positive = f"; {code(manifest.classes[-1])} is the positive one" if len(manifest.classes) == 2 else ""  # noqa: PLR2004 - binary
    facts = [
        f"Source: {code(redacted(spec.dataset.source))}",
        f"Training rows: {manifest.train_rows:,}; holdout rows: {manifest.holdout_rows:,}, split by {spec.split.by}",
        f"The deployed model is fitted on all {manifest.refit.rows:,} rows" if manifest.refit else "",
        f"Classes: {classes}{positive}" if classes else "",
        f"Evaluated partition: {code(report.partition)}" if report.partition else "",
    ]
    rows = [(code(key) if key else "(no partitions)", code(digest)) for key, digest in manifest.data_digests.items()]
    return [_listed(facts), table(("Partition", "Data digest"), rows)]


def _features(manifest: ModelManifest) -> list[str]:
    used = [
        (code(column.name), str(column.role), escaped(column.dtype), escaped(column.reason))
        for column in manifest.features.columns
    ]
    unused = [(code(name), escaped(reason)) for name, reason in manifest.unused_columns.items()]
    blocks = [table(("Feature", "Role", "Type", "Role is"), used)]
    return [*blocks, "Columns that are no features:", table(("Column", "Why"), unused)] if unused else blocks


def _model(manifest: ModelManifest) -> list[str]:
    rows = [(code(name), code(value)) for name, value in sorted(manifest.parameters.items())]
    members = f" of {', '.join(map(code, manifest.members))}" if manifest.members else ""
    scenario = f"{code(manifest.family)}{members}, trained as: {escaped(manifest.scenario_applied)}."
    options = list(manifest.options.in_words()) if manifest.options is not None else []
    fitted = [(escaped(name), escaped(value)) for name, value in options if value]
    return [
        scenario,
        table(("Hyperparameter", "Value"), rows) if rows else "Hyperparameters: the family's defaults.",
        table(("Option of training", "Value"), fitted) if fitted else "",
    ]


def _evaluation(report: EvaluationReport) -> list[str]:
    rows = [
        (
            code(name),
            _number(value),
            " to ".join(_number(end) for end in report.intervals.get(name, ())),
            _number(report.baseline.get(name)),
            _number(report.minimum.get(name)),
        )
        for name, value in report.metrics.items()
    ]
    metrics = table(("Metric", "Model", "95 % interval", "Baseline", "Bound"), rows)
    missing = [f"{code(name)} has no value: {escaped(reason)}" for name, reason in report.missing_metrics.items()]
    rows_used = f"On {report.holdout_rows:,} holdout rows; the baseline ignores the features."
    return [rows_used, report.of_recipe, metrics, _listed(missing), *_effects(report), *_slices(report)]


def _effects(report: EvaluationReport) -> Iterable[str]:
    """Yield what calibration, threshold and intervals change on the holdout."""
    decision = report.decision
    if decision is not None:
        rows = [(code(name), _number(old), _number(new)) for name, old, new in decision.changed(report.metrics)]
        yield table(("Metric", "As fitted", "With calibration and threshold"), rows) if rows else ""
    if decision is not None and decision.counts is not None:
        counts = decision.counts
        yield f"Labels from a probability of {_number(decision.threshold)}:"
        yield table(
            ("True class", "Predicted positive", "Predicted negative"),
            [
                ("Positive", f"{counts.true_positives:,}", f"{counts.false_negatives:,}"),
                ("Negative", f"{counts.false_positives:,}", f"{counts.true_negatives:,}"),
            ],
        )
    if report.interval is not None:
        yield f"On the holdout {report.interval.in_words}."


def _slices(report: EvaluationReport) -> list[str]:
    rows = [
        (code(part.column), escaped(part.value), f"{part.rows:,}", _number(part.metrics.get(report.primary_metric)))
        for part in report.slices
    ]
    return (
        [f"{code(report.primary_metric)} by slice:", table(("Column", "Value", "Rows", "Model"), rows)] if rows else []
    )


def _promotion(decision: PromotionDecision | None) -> list[str]:
    if decision is None:
        return ["Not compared with a champion."]
    rows = [(each.name, "passed" if each.passed else "blocks", escaped(each.statement)) for each in decision.safeguards]
    return [escaped(decision.reason), table(("Safeguard", "Verdict", "Found"), rows) if rows else ""]


def _warnings(report: EvaluationReport) -> list[str]:
    if not report.gate_warnings and not report.doubts:
        return ["The gate warned of nothing in these rows, and nothing says that the holdout is too good."]
    doubts = [f"The holdout may be too good: {escaped(doubt)}." for doubt in report.doubts]
    rows = [(code(each.rule), code(each.column or "(rows)"), escaped(each.found)) for each in report.gate_warnings]
    return [_listed(doubts), table(("Rule of the gate", "Column", "Found"), rows) if rows else ""]


def limits_of(
    manifest: ModelManifest, report: EvaluationReport, spec: PipelineSpec, *, named: Callable[[str], str] = str
) -> Iterable[str]:
    """Yield what the model is not known to be good for, as sentences.

    Args:
        manifest: of the model.
        report: its evaluation.
        spec: the pipeline.
        named: how the name of a column is written.
    """
    yield from (" ".join(limit.split()) for limit in spec.model_card.limits)
    yield "Evaluated on rows of the training rows' source; other populations and later times are not covered."
    if spec.split.by == "random" and spec.dataset.partitions.is_time:
        yield "The holdout is a random share of all times, so the metrics do not show how the model ages."
    gap = report.metrics.get("expected_calibration_error")
    if gap is not None:
        yield f"Calibration: stated probabilities are off by {_number(gap)} on average (expected calibration error)."
    if not report.training_rows_known:
        yield "Which rows the model learned from is not known, so its metrics may be too good."
    small = sum(part.rows < _FEW_ROWS for part in report.slices)
    if small:
        of = counted(len(report.slices), "slice")
        yield f"{small} of {of} with fewer than {_FEW_ROWS} rows: metrics of so few are uncertain."
    pii = [named(column.name) for column in manifest.features.columns if column.pii]
    if pii:
        yield f"Uses personal data: {', '.join(pii)}."
    yield "Not examined for fairness beyond the slices above." if report.slices else "Not examined for fairness."


def _reproducibility(manifest: ModelManifest, report: EvaluationReport, spec: PipelineSpec) -> list[str]:
    rows = [
        ("Seed of search and fit", str(manifest.seed)),
        ("Rows are identified by", _identity(manifest, spec)),
        ("Spec digest", code(manifest.spec_digest)),
        ("Holdout digest", code(report.holdout_digest)),
        *_made(manifest.provenance),
        *((escaped(annotation_in_words(name)), code(value)) for name, value in sorted(manifest.annotations.items())),
    ]
    libraries = [(escaped(name), escaped(version)) for name, version in manifest.library_versions.items()]
    return [table(("", ""), rows), table(("Library", "Version"), libraries)]


def _made(made: Provenance | None) -> Iterable[tuple[str, str]]:
    if made is None:
        return
    yield "Trained", f"{made.trained_at:%Y-%m-%d %H:%M} UTC, in {made.fit_seconds:g} s"
    yield "Git commit", escaped(made.code.shown)
    yield "Digest of uv.lock", code(made.code.lock_digest) if made.code.lock_digest else "no lock file"
    if made.parent:
        yield (
            "Continues",
            f"version {escaped(made.parent.version)}" if made.parent.version else code(made.parent.digest),
        )


def _identity(manifest: ModelManifest, spec: PipelineSpec) -> str:
    names = dict.fromkeys(name for rule in manifest.learned or () for name in rule.columns)
    return ", ".join(map(code, names)) or ("their partition" if spec.split.by == "time" else "not recorded")


def _listed(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items if item)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
