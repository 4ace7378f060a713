"""What a pipeline logs to the experiment tracker."""

import dagster as dg

from assay.credentials import redacted
from assay.learning.evaluation.plots import tuning_history_plot
from assay.learning.evaluation.rounds import RoundLosses
from assay.learning.splitting import Split
from assay.results.evaluation_report import EvaluationReport
from assay.results.search_result import BestHyperparameters
from assay.results.trained_model import ModelManifest, TrainedModel
from assay.specs import PipelineSpec
from assay.specs.base import digest_of
from ml_assets.dagster_internals import code_version_of
from ml_assets.pipeline.run_context import partition_of
from resources.mlflow.datasets import holdout_rows, source_of, training_rows
from resources.mlflow.models import REPORT_TAG
from resources.mlflow.tracker import MlflowTracker, RunIdentity, TrackedRun


def run_identity(
    context: dg.AssetExecutionContext, spec: PipelineSpec, split: Split, best: BestHyperparameters, base: str
) -> RunIdentity:
    """Return the identity of this training by its content, so that every try of it logs to one MLflow run.

    Args:
        context: of the asset.
        spec: with the run's parameters and seed.
        split: its rows.
        best: what the search found.
        base: digest of the champion that an incremental training continues from; empty for a full fit.
    """
    found = (best.family, best.parameters, best.value)
    code = code_version_of(context) or ""
    return RunIdentity(
        pipeline=spec.name,
        dagster_run_id=context.run.run_id,
        asset_key=context.asset_key.to_user_string(),
        partition=partition_of(context),
        content=digest_of(spec, split.data_digests, split.holdout_digest, found, base, code),
        first_run_id=(context.run.root_run_id or "") if context.run.is_resume_retry else "",
    )


def run_tags(spec: PipelineSpec, split: Split) -> dict[str, str]:
    """Return the tags by which a run can be found."""
    return {
        "pipeline": spec.name,
        "spec_digest": digest_of(spec),
        "data_digest": digest_of(split.data_digests),
        "design": spec.model.version,
        **spec.tracking.tags,
    }


def log_training(tracked: TrackedRun, model: TrainedModel, best: BestHyperparameters, spec: PipelineSpec) -> None:
    """Log parameters, trials and the spec."""
    facts = model.manifest
    tracked.log_params(
        {
            "family": facts.family,
            "scenario": facts.scenario_applied,
            "seed": facts.seed,
            "train_rows": facts.train_rows,
            "holdout_rows": facts.holdout_rows,
            "deployed_rows": facts.deployed_rows,
            "target": facts.target,
            **({"data_source": source} if (source := source_of(facts)) else {}),
            **facts.parameters,
        }
    )
    tracked.log_rows(training_rows(facts))
    tracked.log_metrics(_sizes(facts))
    if best.value is not None:
        tracked.log_metrics({f"validation_{best.metric}": best.value})
    if best.trials:
        tracked.log_trials(best, spec.tracking.trials)
        tracked.log_png("plots/tuning_history.png", tuning_history_plot(best))
    tracked.log_json("pipeline_spec.json", redacted(spec.model_dump(mode="json")))


def _sizes(facts: ModelManifest) -> dict[str, float]:
    """Return row counts and fit seconds as metrics, so that charts and filters take them as numbers."""
    made = {} if facts.provenance is None else {"fit_seconds": facts.provenance.fit_seconds}
    counts = {"train_rows": facts.train_rows, "holdout_rows": facts.holdout_rows, "deployed_rows": facts.deployed_rows}
    return made | {name: float(count) for name, count in counts.items()}


def log_evaluation(
    tracker: MlflowTracker,
    model: TrainedModel,
    report: EvaluationReport,
    plots: dict[str, bytes],
    page: str = "",
    rounds: RoundLosses | None = None,
) -> None:
    """Add the evaluation to the MLflow run of the training.

    Args:
        tracker: of the run.
        model: names the run.
        report: its metrics go to the run, and to the logged model with the holdout as their dataset.
        plots: PNG bytes by name.
        page: address of the model's report.
        rounds: losses of a booster by round.
    """
    rows = holdout_rows(model.manifest, report)
    with tracker.resume(model.manifest.annotations["mlflow_run_id"]) as tracked:
        if page:
            tracked.tag(REPORT_TAG, page)
            tracked.describe(Report=page)
        tracked.log_rows(rows)
        tracked.log_metrics({f"holdout_{name}": value for name, value in report.metrics.items()}, rows)
        if rounds is not None:
            tracked.log_series(f"training_{rounds.loss}_by_round", rounds.training)
            tracked.log_series(f"holdout_{rounds.loss}_by_round", rounds.holdout)
        tracked.log_metrics({f"baseline_{name}": value for name, value in report.baseline.items()})
        for end, side in enumerate(("low", "high")):
            tracked.log_metrics({f"holdout_{name}_{side}": ends[end] for name, ends in report.intervals.items()})
        tracked.log_json("evaluation_report.json", report.model_dump(mode="json"))
        for name, png in plots.items():
            tracked.log_png(f"plots/{name}.png", png)
