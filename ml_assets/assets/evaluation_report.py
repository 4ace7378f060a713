"""`evaluation_report`: the model evaluated on the holdout."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from assay.data.dataset import ValidatedDataset, warnings_of
from assay.learning.evaluation.evaluating import (
    beats_baseline,
    bound_in_words,
    evaluate,
    failed_minimum,
    holdout_predictions,
)
from assay.learning.evaluation.plots import losses_of, plots_for
from assay.learning.evaluation.rounds import losses_by_round
from assay.markdown import escaped
from assay.promotion.retry import gave_up, retry_begins
from assay.reporting.making import report_of
from assay.results.evaluation_report import EvaluationReport
from assay.results.search_result import BestHyperparameters
from assay.results.trained_model import TrainedModel
from assay.specs import PipelineSpec
from ml_assets.assets.metadata import images, records_table, warning_check
from ml_assets.assets.small_figures import small_figures
from ml_assets.pipeline.asset import Stage, own_input, pipeline_asset
from ml_assets.pipeline.automation import RETRY_CHECK
from ml_assets.pipeline.model_reports import publish_report, stored_facts
from ml_assets.pipeline.partitions import check_of_partitions
from ml_assets.pipeline.run_context import asset_key, partition_of
from ml_assets.pipeline.tracking import log_evaluation
from ml_assets.pipeline.verified_inputs import verified_split, window_input
from resources.artifacts.io_manager import ArtifactIOManager
from resources.mlflow.tracker import MlflowTracker
from resources.report_site import REPORT_PAGE, ReportSite

GAVE_UP_CHECK = "longer_search_reached_minimum"
_NO_DOUBT = "no column or pair of columns alone keeps the score, and no finding of the gate needs a person's review"
"""Fails where a minimum is missed and no longer search follows; a notification reports it."""
_REPORTED_ONLY = "reported only, as nothing says whether more is better: "


def evaluation_metadata(report: EvaluationReport, plots: dict[str, bytes]) -> dict[str, Any]:
    """Return metrics with their baseline, slices and plots."""
    metrics = [
        {"metric": name, "holdout": value, **_interval(report, name), "baseline": report.baseline.get(name)}
        for name, value in report.metrics.items()
    ]
    missing = [{"metric": name, "why": why} for name, why in report.missing_metrics.items()]
    slices = [{"column": part.column, "value": part.value, "rows": part.rows, **part.metrics} for part in report.slices]
    return {
        f"holdout {report.primary_metric}": report.metrics[report.primary_metric],
        "holdout": f"{report.primary_metric} = {report.in_words(report.primary_metric)}",
        "holdout rows": report.holdout_rows,
        **({"figures": report.of_recipe} if report.of_recipe else {}),
        "metrics": records_table(metrics),
        **({"metrics that could not be computed": records_table(missing)} if missing else {}),
        **(
            {"metrics without a direction": _REPORTED_ONLY + ", ".join(report.without_direction)}
            if report.without_direction
            else {}
        ),
        **_effects(report),
        **({"slices": records_table(_aligned(slices))} if slices else {}),
        **images(plots),
    }


def _effects(report: EvaluationReport) -> dict[str, Any]:
    """Return what calibration, threshold and intervals change on the holdout."""
    found: dict[str, Any] = {}
    if report.decision is not None:
        changed = [
            {"metric": name, "as fitted": old, "with calibration and threshold": new}
            for name, old, new in report.decision.changed(report.metrics)
        ]
        found |= {"calibration and threshold": records_table(changed)} if changed else {}
        if report.decision.counts is not None:
            found |= {"threshold": report.decision.threshold}
            found |= {"labels by the threshold": records_table([report.decision.counts.model_dump()])}
    return found | ({"intervals": report.interval.in_words} if report.interval is not None else {})


def _on_models_page(
    context: dg.AssetExecutionContext, partition: str | None, shown: Mapping[str, Any], model: dg.AssetKey
) -> dg.AssetObservation:
    """Return the evaluation as an observation of the model, with what the model's own event says.

    The page of a partition shows its newest event alone, and would hide the model behind its evaluation.
    """
    asked = dg.AssetRecordsFilter(model, asset_partitions=[partition] if partition else None)
    newest = context.instance.fetch_materializations(asked, limit=1).records
    own = newest[0].asset_materialization if newest else None
    metadata = {**shown, **(own.metadata if own is not None else {})}
    return dg.AssetObservation(model, partition=partition, metadata=metadata)


def _interval(report: EvaluationReport, name: str) -> dict[str, float | None]:
    low, high = report.intervals.get(name, (None, None))
    return {"from (95 %)": low, "to (95 %)": high}


def check_of_minimum(report: EvaluationReport) -> dg.AssetCheckResult:
    """Return whether every metric of `evaluation.minimum` reaches its bound."""
    failed = failed_minimum(report)
    return dg.AssetCheckResult(
        check_name="primary_metric_above_minimum",
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=_minimum_in_words(report, failed),
        metadata={"observed": records_table(_minimum_rows(report))},
    )


def check_of_baseline(report: EvaluationReport) -> dg.AssetCheckResult:
    """Return whether the primary metric beats the model that ignores the features."""
    value, baseline = report.metrics[report.primary_metric], report.baseline.get(report.primary_metric)
    blocks, passed = report.must_beat_baseline, beats_baseline(report)
    return dg.AssetCheckResult(
        check_name="better_than_baseline",
        passed=passed,
        description=_baseline_in_words(report.primary_metric, value, baseline, passed=passed),
        severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
        metadata={"model": value, "baseline": baseline if baseline is not None else "not computable"},
    )


def check_of_doubts(report: EvaluationReport) -> dg.AssetCheckResult:
    """Return whether nothing says that the holdout is too good to be true; promotion waits for a person otherwise."""
    return dg.AssetCheckResult(
        check_name="holdout_not_too_good",
        passed=not report.doubts,
        severity=dg.AssetCheckSeverity.ERROR,
        description=escaped("; ".join(report.doubts)) if report.doubts else _NO_DOUBT,
        metadata={"warnings of the gate": len(report.gate_warnings)},
    )


def _baseline_in_words(metric: str, value: float | None, baseline: float | None, *, passed: bool) -> str:
    if baseline is None:
        return f"{metric} is {_number(value)}, and cannot be computed for the baseline, which ignores the features"
    compared = f"{_number(baseline)} of the baseline, which ignores the features"
    if passed:
        return f"{metric} is {_number(value)}, better than {compared}"
    return (
        f"{metric} is {_number(value)}, no better than {compared}; change the features or the model, or set "
        "evaluation.must_beat_baseline to false"
    )


def _minimum_rows(report: EvaluationReport) -> list[dict[str, Any]]:
    return [
        {"metric": name, "bound": bound, "observed": report.metrics.get(name)} for name, bound in report.minimum.items()
    ]


def _minimum_in_words(report: EvaluationReport, failed: dict[str, float | None]) -> str:
    values = failed or {name: report.metrics.get(name) for name in report.minimum}
    texts = (f"{name} is {_number(value)}, required {bound_in_words(name, report)}" for name, value in values.items())
    return "; ".join(texts) or "no bound is set"


def _number(value: float | None) -> str:
    return "missing" if value is None else f"{value:.5g}"


def _aligned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name) for name in columns} for row in rows]


def _retry_checks(spec: PipelineSpec, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    if spec.promotion.below_minimum != "retry":
        return []
    begins, helped = "No longer search begins after this evaluation.", "No minimum is missed after the longer search."
    return [
        check_of_partitions(spec, RETRY_CHECK, key, description=begins),
        check_of_partitions(spec, GAVE_UP_CHECK, key, description=helped),
    ]


def checks_of_retry(
    report: EvaluationReport, best: BestHyperparameters | None, spec: PipelineSpec, *, as_in_file: bool
) -> Iterator[dg.AssetCheckResult]:
    """Yield whether a longer search begins, which is the event that starts it, and whether it is given up."""
    missed = _minimum_in_words(report, failed_minimum(report))
    begins = as_in_file and retry_begins(report, best)
    given_up = gave_up(report, best)
    longer = f"{missed}; a search of {spec.promotion.retry_factor} times the trials follows"
    yield warning_check(RETRY_CHECK, longer if begins else "no longer search begins", passed=not begins)
    over = f"{missed}, also after the longer search: nothing further is started"
    yield warning_check(GAVE_UP_CHECK, over if given_up else missed, passed=not given_up)


def build_evaluation_report(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/evaluation_report` with its checks."""
    key = asset_key(spec, stage.name)

    @pipeline_asset(
        spec,
        stage,
        description="Metrics on the holdout, compared with a baseline that ignores the features.",
        ins={
            "validated_dataset": window_input(spec),
            "trained_model": own_input(spec, "trained_model"),
        },
        checks=[
            *_retry_checks(spec, key),
            check_of_partitions(
                spec,
                "primary_metric_above_minimum",
                key,
                blocking=True,
                description="Every metric of evaluation.minimum reaches its bound.",
            ),
            check_of_partitions(
                spec,
                "better_than_baseline",
                key,
                blocking=True,
                description="The primary metric beats a model that ignores the features.",
            ),
            check_of_partitions(
                spec,
                "holdout_not_too_good",
                key,
                description="Nothing suggests that the holdout is too good to be true. If something does, a person "
                "decides on the promotion.",
            ),
        ],
    )
    def evaluation_report(
        context: dg.AssetExecutionContext,
        validated_dataset: dict[str, ValidatedDataset],
        trained_model: TrainedModel,
        run_spec: PipelineSpec,
        experiment_tracker: MlflowTracker,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
        report_site: dg.ResourceParam[ReportSite],
    ) -> Iterator[dg.Output[EvaluationReport] | dg.AssetCheckResult]:
        split = verified_split(validated_dataset, run_spec, context)
        warnings = warnings_of(validated_dataset)
        predicted = holdout_predictions(trained_model, split, run_spec)
        report = evaluate(trained_model, split, run_spec, partition_of(context), warnings, predicted)
        losses = losses_of(trained_model, split, run_spec)
        plots = plots_for(trained_model, split, run_spec, losses, predicted)
        stored = stored_facts(context, artifact_io_manager, validated_dataset, losses, predicted, run_spec)
        made, site = report_of(trained_model, split, report, run_spec, stored), report_site.of(run_spec.space)
        page = site.page(publish_report(context, artifact_io_manager, made, site), REPORT_PAGE)
        shown = {"report": dg.MetadataValue.url(page), **small_figures(made.drawings)}
        yield dg.Output(report, metadata=shown | evaluation_metadata(report, plots))
        if not run_spec.space.experiment:  # a step of an experiment reports on its own asset alone
            shown |= evaluation_metadata(report, {})
            context.log_event(_on_models_page(context, report.partition, shown, asset_key(spec, "trained_model")))
        rounds = losses_by_round(trained_model, split, run_spec.training.seed)
        log_evaluation(experiment_tracker, trained_model, report, plots, page, rounds)
        if spec.promotion.below_minimum == "retry":
            best = artifact_io_manager.artifacts().newest_value(
                tuple(asset_key(spec, "best_hyperparameters").path), partition_of(context), BestHyperparameters
            )
            yield from checks_of_retry(report, best, spec, as_in_file=run_spec == spec)
        yield check_of_minimum(report)
        yield check_of_baseline(report)
        yield check_of_doubts(report)

    return evaluation_report
