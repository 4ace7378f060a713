"""`live_performance`: versions and arms by the labels of what they served, and the verdict on two of them."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assay.live.comparison import LiveComparison, current_experiment, unfairness_of
from assay.live.decision import live_decision
from assay.live.joining import join_labels
from assay.live.label_versions import labels_of
from assay.live.performance import LivePerformance, VersionPerformance, decision_starts, evaluate_live
from assay.live.plots import comparison_plot
from assay.monitoring.scored import Scored
from assay.promotion.champion import ChampionChange, CurrentChampion
from assay.specs import PipelineSpec
from ml_assets.assets.champion_model import champion_events
from ml_assets.assets.metadata import images, records_table
from ml_assets.assets.monitor import NOT_JUDGED, State, warnings_of
from ml_assets.assets.served_labels import label_versions
from ml_assets.pipeline.asset import Stage, pipeline_asset
from ml_assets.pipeline.automation import when_updated
from ml_assets.pipeline.current_champion import current_champion, earlier_reports
from ml_assets.pipeline.gate_step import as_of
from ml_assets.pipeline.monitored_rows import reference_of
from ml_assets.pipeline.run_context import asset_key
from ml_assets.pipeline.served_log import loaded_versions, served_log, versions_in
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.store import ArtifactStore
from resources.mlflow.live_verdicts import follow_verdict, kept
from resources.mlflow.people import Request
from resources.mlflow.registry import MlflowModelRegistry

CHALLENGER_CHECK = "challenger_not_worse"
_LABELS_CHECK = "labels_arrive_in_time"
_CHECKS = {
    CHALLENGER_CHECK: "The challenger that is served is not shown to be worse than the champion.",
    _LABELS_CHECK: "The share of predictions older than serving.labels.delay without a label is at most max_missing.",
}
_EARLIER = 90
"""How many earlier reports say whether a verdict is new."""


def build_live_performance(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/live_performance` with its checks."""
    key = asset_key(spec, stage.name)

    @pipeline_asset(
        spec,
        stage,
        description="Each version and arm by the labels of what it served, and an always-valid verdict on two of them.",
        reads_all=("prediction_log", "served_labels", "champion_model"),
        checks=[dg.AssetCheckSpec(name, asset=key, description=text) for name, text in _CHECKS.items()],
        automation_condition=when_updated(spec, "served_labels"),
        output_required=False,
    )
    def live_performance(
        context: dg.AssetExecutionContext,
        run_spec: PipelineSpec,
        model_registry: MlflowModelRegistry,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    ) -> Iterator[dg.Output[LivePerformance] | dg.AssetCheckResult]:
        champion = current_champion(context, model_registry, run_spec)
        if champion is None:
            yield from warnings_of(dict.fromkeys(_CHECKS, NOT_JUDGED))
            return
        artifacts = artifact_io_manager.artifacts()
        report = _report(context, champion, artifacts, model_registry, run_spec)
        if report.decision_start and report.comparison is not None:
            change = _followed(context, report, report.comparison, model_registry, run_spec)
            for event in () if change is None else champion_events(run_spec, change):
                context.log_event(event)
            report = report.model_copy(update={"followed_by": "" if change is None else _in_words(change)})
        yield dg.Output(report, metadata=_metadata(report))
        yield from warnings_of(_states(report, run_spec))

    return live_performance


def _report(
    context: dg.AssetExecutionContext,
    champion: CurrentChampion,
    artifacts: ArtifactStore,
    registry: MlflowModelRegistry,
    spec: PipelineSpec,
) -> LivePerformance:
    labels, now = labels_of(spec), as_of(context)
    log = served_log(artifacts, spec, labels.days)
    labelled = join_labels(log, label_versions(artifacts, spec), labels, spec, now)
    models = loaded_versions(context, registry, spec, versions_in(labelled.log))

    def holdout(version: str) -> Scored | None:
        model = models.get(version)
        return None if model is None else reference_of(model, artifacts, spec, required=False).holdout_scored

    experiment = current_experiment(log)
    report = evaluate_live(
        labelled,
        experiment,
        champion.model.manifest.classes,
        holdout,
        spec,
        {"as_of": now, "champion_version": champion.version},
    )
    if report.comparison is not None:
        fair = report.comparison.model_copy(update={"unfair": unfairness_of(log, experiment)})
        report = report.model_copy(update={"comparison": fair})
    earlier = earlier_reports(context, artifacts, LivePerformance, _EARLIER)
    return report.model_copy(update={"decision_start": decision_starts(report.comparison, earlier, labels)})


def _followed(
    context: dg.AssetExecutionContext,
    report: LivePerformance,
    found: LiveComparison,
    registry: MlflowModelRegistry,
    spec: PipelineSpec,
) -> ChampionChange | None:
    """Do what `serving.on_verdict` says, once; None where it only reports, or in an experiment of one run."""
    reports_only = spec.serving is None or spec.serving.on_verdict == "report" or spec.space.experiment
    if reports_only or found.verdict != "challenger_better":
        return None
    values = {each.version: each.metrics for each in report.versions}
    champion, challenger = (values.get(each, {}) for each in (found.champion_version, found.challenger_version))
    decision = live_decision(found, champion, challenger, spec)
    if decision is None:
        return kept(found, spec.registered_name, f"its {found.metric} on live predictions has no value")
    request = Request(by="live_performance", reason=found.reason, run_id=context.run.run_id, pipeline=spec.name)
    return follow_verdict(registry, found, decision, spec, request)


def _in_words(change: ChampionChange) -> str:
    return f"{change.outcome}: {change.reason}"


def _metadata(report: LivePerformance) -> dict[str, Any]:
    counts, found = report.labels, report.comparison
    plot = comparison_plot(found) if found is not None else None
    return {
        "verdict": found.verdict if found is not None else "no experiment",
        "finding": found.reason if found is not None else "one version was served, so there is nothing to compare",
        **({"loss": _loss_in_words(found)} if found is not None else {}),
        "followed by": report.followed_by or _nothing(report),
        "champion version then": report.champion_version,
        "as of": report.as_of.isoformat(),
        "versions and arms": records_table([_version_row(each, report.metric) for each in report.versions]),
        **images({"comparison": plot} if plot is not None else {}),
        "labels": records_table([{**counts.model_dump(), "missing share": counts.missing_share}]),
        **({"comparison by day": records_table(_look_rows(found))} if found is not None else {}),
        "metrics": records_table(_metric_rows(report)),
    }


def _nothing(report: LivePerformance) -> str:
    found = report.comparison
    if found is not None and found.unfair:
        return f"nothing; the arms are not compared fairly: {found.unfair}"
    if found is None or not found.missing_share:
        return "nothing"
    return f"nothing; {found.missing_share:.1%} of the experiment's labels are missing"


def _loss_in_words(found: LiveComparison) -> str:
    if found.metric_is_mean:
        return f"{found.loss}, of which {found.metric} is the mean"
    return f"{found.loss}, which stands for {found.metric}: that is no mean of losses, and has no verdict of its own"


def _version_row(each: VersionPerformance, metric: str) -> dict[str, Any]:
    low, high = each.intervals.get(metric, (None, None))
    shift = each.calibration
    return {
        "version": each.version,
        "arm": f"{each.arm} (shadow)" if each.shadow else each.arm,
        "labelled rows": each.rows,
        "keys or requests": each.units,
        metric: each.metrics.get(metric),
        "from (95 %)": low,
        "to (95 %)": high,
        "mean error": each.mean_error,
        "calibration gap": None if shift is None else shift.gap,
        "p of the gap": None if shift is None else shift.p_value,
        "first day": each.first_day,
        "last day": each.last_day,
    }


def _metric_rows(report: LivePerformance) -> list[dict[str, Any]]:
    names = dict.fromkeys(name for each in report.versions for name in (*each.metrics, *each.missing_metrics))
    return [
        {
            "version": each.version,
            "arm": f"{each.arm} (shadow)" if each.shadow else each.arm,
            "metric": name,
            "value": each.metrics.get(name),
            "from (95 %)": each.intervals.get(name, (None, None))[0],
            "to (95 %)": each.intervals.get(name, (None, None))[1],
            "why missing": each.missing_metrics.get(name, ""),
        }
        for name in names
        for each in report.versions
    ]


def _look_rows(found: LiveComparison) -> list[dict[str, Any]]:
    return [
        {
            "day": look.day,
            "gain of the challenger": look.gain,
            "from": look.lower,
            "to": look.upper,
            "champion rows": look.champion_rows,
            "challenger rows": look.challenger_rows,
        }
        for look in reversed(found.looks)
    ]


def _states(report: LivePerformance, spec: PipelineSpec) -> dict[str, State]:
    found, counts, most = report.comparison, report.labels, labels_of(spec).max_missing
    missing = (
        f"{counts.missing:,} of {counts.missing + counts.labelled:,} predictions older than the delay lack a label "
        f"({counts.missing_share:.1%}; {most:.1%} may); {counts.waiting:,} wait"
    )
    return {
        CHALLENGER_CHECK: (
            found is None or found.verdict != "challenger_worse",
            "no experiment" if found is None else found.reason,
        ),
        _LABELS_CHECK: (counts.missing_share <= most, missing),
    }
