"""`assay tune`: the best hyperparameters of gated data.

Does not belong here: how the search works.
"""

import argparse
import json
import logging

from assay.shell.flagged_pipeline import has_task, pipeline_of
from assay.shell.inferred_task import classifies, does_one_kind
from assay.shell.judged_data import judged
from assay.shell.storage import Storage, put_text
from assay.specs.pipeline import PipelineSpec, Task
from assay.splitting import split_window
from assay.tuning.result import BestHyperparameters, TrialRecord
from assay.tuning.search import find_best_hyperparameters, settled_hyperparameters

_LOG = logging.getLogger("assay.shell")


def run(flags: argparse.Namespace, storage: Storage) -> tuple[bool, str]:
    """Search and write the best hyperparameters; with nothing to search, the base ones without reading the data.

    Args:
        flags: the command's.
        storage: for data and results.

    Returns:
        Whether the data passed the gate, and the address of the hyperparameters; nothing is written when it did not.

    Raises:
        AssayError: a flag is not acceptable, the data cannot be read, the search failed, or nothing can be written.
    """
    best = _without_data(flags) or _searched(flags, storage)
    if best is None:
        return False, ""
    _LOG.info("best: %s with %s", best.family, json.dumps(best.parameters))
    if flags.trials_uri is not None:
        put_text(storage, best.model_dump_json(indent=2) + "\n", flags.trials_uri)
    put_text(storage, json.dumps(best.parameters, indent=2) + "\n", flags.output_uri)
    return True, flags.output_uri


def _without_data(flags: argparse.Namespace) -> BestHyperparameters | None:
    """Return the base values where neither they nor the task hang on the data."""
    wants_record = flags.trials_uri is not None or flags.report_uri is not None
    known = has_task(flags) or does_one_kind(flags.model_name)
    if wants_record or not known:
        return None
    task = None if has_task(flags) or classifies(flags.model_name) else Task.REGRESSION
    settled = settled_hyperparameters(pipeline_of(flags, task))
    if settled is not None:
        _LOG.info("nothing is searched (%s); the data is not read", settled.stopped_by)
    return settled


def _searched(flags: argparse.Namespace, storage: Storage) -> BestHyperparameters | None:
    data = judged(flags, storage)
    if data.window is None:
        return None
    split = split_window(data.window, data.spec)
    return find_best_hyperparameters(
        split.train,
        data.spec,
        features=split.features,
        groups=split.train_groups,
        classes=split.classes,
        progress=lambda trial: _tell(trial, data.spec),
    )


def _tell(trial: TrialRecord, spec: PipelineSpec) -> None:
    result = trial.reason if trial.value is None else f"{trial.value:.5g}"
    number, most = trial.number + 1, spec.tuning.n_trials
    _LOG.info("trial %d of at most %d: %s %s: %s", number, most, trial.family, json.dumps(trial.parameters), result)
