"""`served_drift`: the newest day that the champion served, and whether its rows get the same prediction as a batch."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assay.live.served_drift import ServedDriftReport, evaluate_served
from assay.live.skew import SkewReport, check_skew
from assay.monitoring.advice import drift_sentence, drift_table
from assay.monitoring.alarms import windows_needed
from assay.prediction.predictor import Predictor
from assay.promotion.champion import CurrentChampion
from assay.specs import PipelineSpec
from ml_assets.assets.metadata import records_table
from ml_assets.assets.monitor import NOT_JUDGED, State, warnings_of
from ml_assets.pipeline.asset import Stage, pipeline_asset
from ml_assets.pipeline.automation import once_a_day
from ml_assets.pipeline.current_champion import current_champion, earlier_reports
from ml_assets.pipeline.monitored_rows import reference_of
from ml_assets.pipeline.run_context import asset_key
from ml_assets.pipeline.served_log import loaded_versions, served_log, versions_in
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.store import ArtifactStore
from resources.mlflow.registry import MlflowModelRegistry

_SKEW, _DRIFT, _ESTIMATE = "served_predictions_match_batch", "served_rows_not_drifted", "served_performance_held"
_CHECKS = {
    _SKEW: "Served rows whose values are logged get the same prediction as a batch, to 1e-9.",
    _DRIFT: "No feature, nor the predictions, drifted in enough of the days served.",
    _ESTIMATE: "The metric of the served rows, as they let expect it without labels; a warning, never an alarm.",
}
_DAYS = 7
"""Newest days of the log whose rows are predicted again; the newest one is compared."""


def build_served_drift(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/served_drift` with its checks."""
    key = asset_key(spec, stage.name)

    @pipeline_asset(
        spec,
        stage,
        description="The newest day that the champion served, compared with its own rows, and with the batch path.",
        reads_all=("prediction_log", "champion_model", "validated_dataset"),
        checks=[dg.AssetCheckSpec(name, asset=key, description=text) for name, text in _CHECKS.items()],
        automation_condition=once_a_day(),
        output_required=False,
    )
    def served_drift(
        context: dg.AssetExecutionContext,
        run_spec: PipelineSpec,
        model_registry: MlflowModelRegistry,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    ) -> Iterator[dg.Output[ServedDriftReport] | dg.AssetCheckResult]:
        champion = current_champion(context, model_registry, run_spec)
        if champion is None:
            yield from warnings_of(dict.fromkeys(_CHECKS, NOT_JUDGED))
            return
        report = _report(context, champion, artifact_io_manager.artifacts(), model_registry, run_spec)
        yield dg.Output(report, metadata=_metadata(report))
        yield from warnings_of(_states(report))

    return served_drift


def _report(
    context: dg.AssetExecutionContext,
    champion: CurrentChampion,
    artifacts: ArtifactStore,
    registry: MlflowModelRegistry,
    spec: PipelineSpec,
) -> ServedDriftReport:
    log = served_log(artifacts, spec, _DAYS)
    models = loaded_versions(context, registry, spec, versions_in(log))
    skew = [check_skew(log, version, Predictor(each.model)) for version, each in models.items()]
    rule = spec.monitoring.drift if spec.monitoring else None
    earlier = earlier_reports(
        context, artifacts, ServedDriftReport, windows_needed(spec, rule.of_windows if rule else 3)
    )
    return evaluate_served(log, reference_of(champion, artifacts, spec, required=True), skew, earlier, spec)


def _metadata(report: ServedDriftReport) -> dict[str, Any]:
    drift, estimate = report.drift, report.estimate
    return {
        "day": report.day or "nothing was served yet",
        "champion version": report.champion_version,
        "rows": report.rows,
        "features": report.features or "compared",
        "drifted": ", ".join(drift.drifted) if drift is not None and drift.drifted else "none",
        "alarm": ", ".join(drift.alarm_features) if drift is not None and drift.alarm_features else "none",
        **({"features and predictions": records_table(drift_table(drift))} if drift is not None else {}),
        "estimated without labels": "not estimated"
        if estimate is None
        else f"{estimate.value:.4g} ({estimate.lower:.4g} to {estimate.upper:.4g}, {estimate.method})",
        "served again as a batch": records_table([_skew_row(each) for each in report.skew]),
    }


def _skew_row(skew: SkewReport) -> dict[str, Any]:
    return {
        "version": skew.version,
        "rows": skew.rows,
        "differing": skew.differing,
        "first difference": skew.first,
        "why not compared": skew.reason,
    }


def _states(report: ServedDriftReport) -> dict[str, State]:
    differing = [f"version {each.version}: {each.first}" for each in report.skew if not each.passed]
    compared = [f"{each.rows:,} rows of version {each.version}" for each in report.skew if each.rows]
    why_not = "; ".join(each.reason for each in report.skew if each.reason) or "nothing was served yet"
    drift, estimate = report.drift, report.estimate
    alarm = drift is not None and drift.alarm
    change = "gain" if estimate is not None and estimate.loss < 0 else "loss"
    return {
        _SKEW: (
            not differing,
            "; ".join(differing) or (f"{', '.join(compared)} are the same" if compared else why_not),
        ),
        _DRIFT: (not alarm, drift_sentence(drift) if drift is not None else "not compared"),
        _ESTIMATE: (
            estimate is None or not estimate.warning,
            "not estimated"
            if estimate is None
            else f"estimated at {estimate.value:.4g}, a {change} of {abs(estimate.loss):.4g}",
        ),
    }
