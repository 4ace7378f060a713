"""Search and fit as metadata and log lines.

Does not belong here: judging the model (`evaluation`).
"""

import logging
from collections.abc import Callable
from typing import Any

import dagster as dg

from assay.learning.evaluation.plots import tuning_history_plot
from assay.results.search_result import BestHyperparameters, TrialRecord
from assay.results.trained_model import TrainedModel
from assay.specs import PipelineSpec
from ml_assets.presentation.tables import image, records_table
from resources.mlflow.tracker import TrackedRun

_TOP_TRIALS = 10


def trial_logger(log: logging.Logger, spec: PipelineSpec) -> Callable[[TrialRecord], None]:
    """Return a callback that logs one line for each trial."""

    def report(trial: TrialRecord) -> None:
        outcome = f"{trial.value:.5f}" if trial.value is not None else f"{trial.state}: {trial.reason}"
        total = spec.tuning.n_trials
        log.info("trial %d of %d  %s  %s  (%.1f s)", trial.number + 1, total, trial.family, outcome, trial.seconds)

    return report


def search_metadata(best: BestHyperparameters) -> dict[str, Any]:
    """Return the winner, the best trials and the course of the search."""
    shown = {
        "family": best.family,
        "hyperparameters": dg.MetadataValue.json(best.parameters),
        "stopped by": best.stopped_by,
        "trials": len(best.trials),
        "failed trials": sum(trial.state == "failed" for trial in best.trials),
    }
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


def model_metadata(model: TrainedModel, exported: str | None, tracked: TrackedRun) -> dict[str, Any]:
    """Return the facts of a fitted model and where it is tracked."""
    facts = model.manifest
    shown: dict[str, Any] = {
        "family": facts.family,
        "hyperparameters": dg.MetadataValue.json(facts.parameters),
        "scenario": facts.scenario_applied,
        "training rows": facts.train_rows,
        "holdout rows": facts.holdout_rows,
        "features": records_table(
            [{"feature": c.name, "dtype": c.dtype, "role": str(c.role)} for c in facts.features.columns]
        ),
        "unused columns": records_table([{"column": name, "why": why} for name, why in facts.unused_columns.items()]),
        "MLflow run": tracked.run_id,
        "where to look": tracked.url,
    }
    return shown | ({"exported to": exported} if exported else {})
