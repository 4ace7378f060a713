"""`assay tune`: the best hyperparameters of gated data; and how `train` takes them over."""

import json
import logging
from pathlib import Path
from typing import Any

from assay.errors import SpecError
from assay.learning.splitting import split_window
from assay.learning.tuning.search import find_best_hyperparameters, unsearched_hyperparameters
from assay.results.search_result import BestHyperparameters, TrialRecord
from assay.scratch import scratch_folder
from assay.shell.flags import Flags, json_object
from assay.shell.pipeline_flags import classifies, does_one_kind, has_task, pipeline_of
from assay.shell.storage import Storage, put_text
from assay.shell.validate import gated
from assay.specs.pipeline import PipelineSpec, Task

_LOG = logging.getLogger("assay.shell")


def run(flags: Flags, storage: Storage) -> tuple[bool, str]:
    """Search and write the best hyperparameters; without a search, write the base values and do not read the data.

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


def _without_data(flags: Flags) -> BestHyperparameters | None:
    """Return the base values where neither they nor the task depend on the data."""
    wants_record = flags.trials_uri is not None or flags.report_uri is not None
    known = has_task(flags) or does_one_kind(flags.model_name)
    if wants_record or not known:
        return None
    task = None if has_task(flags) or classifies(flags.model_name) else Task.REGRESSION
    settled = unsearched_hyperparameters(pipeline_of(flags, task))
    if settled is not None:
        _LOG.info("nothing is searched (%s); the data is not read", settled.stopped_by)
    return settled


def _searched(flags: Flags, storage: Storage) -> BestHyperparameters | None:
    data = gated(flags, storage)
    if data.window is None:
        return None
    split = split_window(data.window, data.spec)
    best = find_best_hyperparameters(
        split.train,
        data.spec,
        features=split.features,
        groups=split.train_groups,
        classes=split.classes,
        progress=lambda trial: _log_trial(trial, data.spec),
    )
    caution = best.caution(data.spec.model.candidates)
    if caution:
        _LOG.warning(caution)
    return best


def _log_trial(trial: TrialRecord, spec: PipelineSpec) -> None:
    result = trial.reason if trial.value is None else f"{trial.value:.5g}"
    number, most = trial.number + 1, spec.tuning.n_trials
    _LOG.info("trial %d of at most %d: %s %s: %s", number, most, trial.family, json.dumps(trial.parameters), result)


_WHERE = "--hyperparameters-uri"
# the keys of a whole search; a file with the hyperparameters alone is accepted too
_RECORD = {"family", "parameters", "trials"}


def with_tuned(flags: Flags, storage: Storage) -> Flags:
    """Return the flags of train with the found values merged into the base ones, and with the search disabled.

    Args:
        flags: of train.
        storage: where the file of `--hyperparameters-uri` is: what tune wrote to `--output-uri` or `--trials-uri`.

    Raises:
        SourceError: the file cannot be read.
        SpecError: it does not hold hyperparameters, or those of another model family.
    """
    changed: dict[str, Any] = {"tuning": {"enabled": False}}
    if flags.hyperparameters_uri is not None:
        found = _read(flags.hyperparameters_uri, storage)
        if found.keys() >= _RECORD:
            changed["model_name"] = _one_family(flags.model_name, str(found["family"]))
            found = found["parameters"]
        changed["hyperparameters"] = (flags.hyperparameters or {}) | found
    return Flags(**{**vars(flags), **changed})


def _read(uri: str, storage: Storage) -> dict[str, Any]:
    with scratch_folder("tuned") as folder:
        path = storage.fetch(uri, Path(folder))[0].path
        try:
            return json_object(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise SpecError(
                "the file holds no hyperparameters",
                where=f"{_WHERE} {uri}",
                found=str(error)[:300],
                expected="the JSON object that assay tune writes",
            ) from error


def _one_family(named: str | None, found: str) -> str:
    if named is not None and named != found:
        raise SpecError(
            "the hyperparameters are another model family's",
            where=_WHERE,
            found=found,
            expected=named,
            remedy=f"leave --model-name out, or name {found}",
        )
    return found
