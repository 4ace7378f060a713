"""`best_hyperparameters`: the model family and hyperparameters that a search found on the training rows."""

import logging
from typing import Any

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.learning.evaluation.plots import tuning_history_plot
from assay.learning.splitting import Split
from assay.learning.training import library_versions
from assay.learning.tuning.search import find_best_hyperparameters
from assay.learning.tuning.trial_lines import no_trials_yet
from assay.promotion.retry import basis_of, longer, search_factor
from assay.results.evaluation_report import EvaluationReport
from assay.results.search_result import BestHyperparameters
from assay.shell.trial_bar import trial_progress
from assay.specs import PipelineSpec
from assay.specs.base import digest_of
from ml_assets.assets.metadata import image, records_table
from ml_assets.command_terminal import terminal_of_command
from ml_assets.pipeline.asset import Stage, pipeline_asset
from ml_assets.pipeline.run_context import asset_key, partition_of
from ml_assets.pipeline.verified_inputs import verified_split, window_input
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.store import ArtifactStore
from resources.artifacts.trial_journal import StoredTrialJournal

_TOP_TRIALS = 10


def build_best_hyperparameters(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/best_hyperparameters`."""

    @pipeline_asset(
        spec,
        stage,
        description="Model family and hyperparameters found on the training rows alone.",
        ins={"validated_dataset": window_input(spec)},
    )
    def best_hyperparameters(
        context: dg.AssetExecutionContext,
        validated_dataset: dict[str, ValidatedDataset],
        run_spec: PipelineSpec,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    ) -> dg.Output[BestHyperparameters]:
        split = verified_split(validated_dataset, run_spec, context)
        artifacts = artifact_io_manager.artifacts()
        retries = run_spec.promotion.below_minimum == "retry"
        basis = basis_of(split, run_spec, stage.spec_parts)
        factor = _search_factor(context, artifacts, basis, split, run_spec) if retries else 1
        key, before = _before(context, artifacts, sorted(validated_dataset), run_spec)
        searched = longer(run_spec, factor)
        so_far, terminal = no_trials_yet(searched), terminal_of_command()
        with trial_progress(so_far, context.log.info, terminal, always_log=True) as progress:
            best = find_best_hyperparameters(
                split.train,
                searched,
                features=split.features,
                groups=split.train_groups,
                classes=split.classes,
                progress=progress,
                journal=StoredTrialJournal(
                    artifacts.store,
                    tuple(context.asset_key.path),
                    partition_of(context),
                    digest_of(
                        basis, factor, library_versions(*run_spec.model.candidates), before and before.identity()
                    ),
                ),
                before=before,
            )
        if before is not None and best.searched:
            best = best.model_copy(update={"begun_with": key})
        if retries:
            best = best.model_copy(update={"search_factor": factor, "basis": basis})
        if best.early_end:
            context.log.info(best.early_end)
        return dg.Output(best, metadata=_search_metadata(best) | _caution(best, run_spec, context.log))

    return best_hyperparameters


def _search_factor(
    context: dg.AssetExecutionContext, artifacts: ArtifactStore, basis: str, split: Split, spec: PipelineSpec
) -> int:
    """Return how much longer this search is, by the last search and evaluation of the partition."""
    partition = partition_of(context)
    before = artifacts.newest_value(tuple(context.asset_key.path), partition, BestHyperparameters)
    report = artifacts.newest_value(tuple(asset_key(spec, "evaluation_report").path), partition, EvaluationReport)
    factor = search_factor(before, report, basis, split, spec)
    if factor > 1:
        context.log.info("the last model missed a minimum: this search has %d times the trials", factor)
    return factor


def _before(
    context: dg.AssetExecutionContext, artifacts: ArtifactStore, window: list[str], spec: PipelineSpec
) -> tuple[str, BestHyperparameters | None]:
    """Return the partition before and what its search found; None without one, or if it is not asked for."""
    if spec.split.by != "time" or not spec.tuning.begin_with_previous:
        return "", None
    key = window[-2]
    return key, artifacts.newest_value(tuple(context.asset_key.path), key, BestHyperparameters)


def _caution(best: BestHyperparameters, spec: PipelineSpec, log: logging.Logger) -> dict[str, str]:
    caution = best.caution(spec.model.candidates)
    if caution:
        log.warning(caution)
    return {"caution": caution} if caution else {}


def _search_metadata(best: BestHyperparameters) -> dict[str, Any]:
    """Return the winner, the best trials and the history of the search."""
    shown = {
        "family": best.family,
        "hyperparameters": dg.MetadataValue.json(best.parameters),
        "stopped by": best.stopped_by,
        "trials": len(best.trials),
        **({"begins with the best of": best.begun_with} if best.begun_with else {}),
        **({"times the trials": best.search_factor} if best.search_factor > 1 else {}),
        "failed trials": sum(trial.state == "failed" for trial in best.trials),
    }
    if slow := best.too_slow():
        shown["too slow to be chosen"] = records_table(slow)
    if best.latency_ms is not None:
        shown["ms for 1,000 predictions"] = best.latency_ms
    if best.early_end:
        shown["ended early"] = best.early_end
    if best.tie_text:
        shown["simpler family"] = best.tie_text
    if best.recalibration is not None:
        shown["calibration"] = best.recalibration.in_words
    if best.ensemble_gain is not None:
        shown["average of families"] = records_table(best.members())
        shown["better than the best trial by"] = best.ensemble_gain
    if best.value is not None:
        shown[f"validation {best.metric}"] = best.value
    if best.trials:
        shown["best trials"] = records_table(_top_trials(best))
        shown["plot/tuning_history"] = image(tuning_history_plot(best), "tuning history")
    return shown


def _top_trials(best: BestHyperparameters) -> list[dict[str, Any]]:
    sign = -1 if best.direction == "maximize" else 1
    scored = [(sign * trial.value, trial) for trial in best.trials if trial.value is not None]
    ranked = [trial for _, trial in sorted(scored, key=lambda pair: (pair[0], pair[1].number))]
    return [
        {
            "trial": trial.number,
            "family": trial.family,
            best.metric: trial.value,
            "hyperparameters": str(trial.parameters),
            "seconds": round(trial.seconds, 2),
        }
        for trial in ranked[:_TOP_TRIALS]
    ]
