"""`best_hyperparameters`: the model family and hyperparameters that a search found on the training rows."""

import logging
from collections.abc import Callable
from typing import Any

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.learning.evaluation.plots import tuning_history_plot
from assay.learning.tuning.search import find_best_hyperparameters
from assay.results.search_result import BestHyperparameters, TrialRecord
from assay.specs import PipelineSpec
from ml_assets.assets.metadata import image, records_table
from ml_assets.pipeline.asset import Stage, pipeline_asset
from ml_assets.pipeline.verified_inputs import verified_split, window_input

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
    ) -> dg.Output[BestHyperparameters]:
        split = verified_split(validated_dataset, run_spec, context)
        best = find_best_hyperparameters(
            split.train,
            run_spec,
            features=split.features,
            groups=split.train_groups,
            classes=split.classes,
            progress=_trial_logger(context.log, run_spec),
        )
        if best.early_end:
            context.log.info(best.early_end)
        return dg.Output(best, metadata=_search_metadata(best) | _caution(best, run_spec, context.log))

    return best_hyperparameters


def _trial_logger(log: logging.Logger, spec: PipelineSpec) -> Callable[[TrialRecord], None]:
    """Return a callback that logs one line for each trial."""

    def report(trial: TrialRecord) -> None:
        outcome = f"{trial.value:.5f}" if trial.value is not None else f"{trial.state}: {trial.reason}"
        total = spec.tuning.n_trials
        log.info("trial %d of %d  %s  %s  (%.1f s)", trial.number + 1, total, trial.family, outcome, trial.seconds)

    return report


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
        "failed trials": sum(trial.state == "failed" for trial in best.trials),
    }
    if best.early_end:
        shown["ended early"] = best.early_end
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
