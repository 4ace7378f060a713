"""`assay tune` and `assay train`: gated data to hyperparameters, and to the bundle of an evaluated model."""

import contextlib
import importlib.metadata
import json
import logging
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from assay.data.dataset import ValidatedDataset, warnings_of
from assay.errors import SpecError, TargetExistsError, TrackingError
from assay.learning.estimators.assembly import fitted_on_training_rows
from assay.learning.evaluation.evaluating import beats_baseline, evaluate
from assay.learning.evaluation.plots import plots_for
from assay.learning.evaluation.rounds import RoundLosses, losses_by_round
from assay.learning.final_fit import BaseModel, recorded_fit
from assay.learning.persistence import save_model
from assay.learning.splitting import Split, split_window
from assay.learning.tuning.search import find_best_hyperparameters, unsearched_hyperparameters
from assay.learning.tuning.trial_lines import no_trials_yet
from assay.prediction.golden import with_golden
from assay.promotion.model_card import render
from assay.results.bundle import MANIFEST_FILE
from assay.results.evaluation_report import EvaluationReport
from assay.results.provenance import CodeState, ParentModel
from assay.results.search_result import BestHyperparameters
from assay.results.trained_model import TrainedModel
from assay.scratch import scratch_folder
from assay.shell.flags import Flags, json_object
from assay.shell.models import fetched_bundle
from assay.shell.pipeline_flags import classifies, does_one_kind, has_task, pipeline_of
from assay.shell.storage import Storage, adapter, joined, put_text
from assay.shell.summary import Fact, Summary, metric_rows, missing_facts, search_facts
from assay.shell.terminal import show
from assay.shell.trial_bar import trial_progress
from assay.shell.validate import GatedData, gate_facts_of, gated, show_gate
from assay.specs.pipeline import PipelineSpec, Task

_LOG = logging.getLogger("assay.shell")
GROUP = "assay.tracking"
PREPARATION = "assay.learning"
"""Entry points of what the platform does before a library with threads is loaded; the domain sets no variables."""
CODE = "assay.code"
"""Entry point of what knows the code's commit, lock and libraries."""
_PATH_PART = re.compile(r"\w[\w.+-]*")


def tune(flags: Flags, storage: Storage) -> tuple[bool, str]:
    """Search and write the best hyperparameters; without a search, write the base values and do not read the data."""
    prepare_process()
    judged: tuple[Fact, ...] = ()
    best = _without_data(flags)
    if best is None:
        data = gated(flags, storage)
        if data.window is None:
            show_gate(data, flags)
            return False, ""
        best, judged = _searched(data.window, data.spec), gate_facts_of(data)
    _LOG.info("best: %s with %s", best.family, json.dumps(best.parameters))
    if flags.trials_uri is not None:
        put_text(storage, best.model_dump_json(indent=2) + "\n", flags.trials_uri)
    put_text(storage, json.dumps(best.parameters, indent=2) + "\n", flags.output_uri)
    facts = (*judged, *search_facts(best, searched_alone=True))
    show([Summary("best hyperparameters", facts, addresses=(Fact("hyperparameters", flags.output_uri),))])
    return True, flags.output_uri


def prepare_process() -> None:
    """Prepare this process for fits, where the platform is installed and says how."""
    for each in importlib.metadata.entry_points(group=PREPARATION):
        with contextlib.suppress(ModuleNotFoundError):  # the wheel alone, or outside of the platform's folder
            each.load()()


def code_state() -> CodeState:
    """Return what the platform, where it is installed, knows of the code."""
    for each in importlib.metadata.entry_points(group=CODE):
        with contextlib.suppress(ModuleNotFoundError):
            found: CodeState = each.load()()
            return found
    return CodeState()


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


def _searched(window: Mapping[str, ValidatedDataset], spec: PipelineSpec) -> BestHyperparameters:
    best = _best(split_window(window, spec), spec)
    caution = best.caution(spec.model.candidates)
    if caution:
        _LOG.warning(caution)
    return best


def _best(split: Split, spec: PipelineSpec) -> BestHyperparameters:
    """Search for one family: a file of hyperparameters does not hold the families of an average."""
    spec = spec.model_copy(update={"tuning": spec.tuning.model_copy(update={"ensemble": False})})
    with trial_progress(no_trials_yet(spec), _LOG.info) as progress:
        best = find_best_hyperparameters(
            split.train,
            spec,
            features=split.features,
            groups=split.train_groups,
            classes=split.classes,
            progress=progress,
        )
    if best.early_end:
        _LOG.info(best.early_end)
    return best


_WHERE = "--hyperparameters-uri"
# the keys of a whole search; a file with the hyperparameters alone is accepted too
_RECORD = {"family", "parameters", "trials"}


def with_tuned(flags: Flags, storage: Storage) -> Flags:
    """Return the flags of train with what tune wrote merged into the base values, and with the search disabled.

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


class OpenRun(Protocol):
    """A run that is open."""

    @property
    def run_id(self) -> str:
        """The tracker's id of the run."""

    @property
    def annotations(self) -> dict[str, str]:
        """What a model says of the run that tracked it."""

    def log(
        self,
        model: TrainedModel,
        best: BestHyperparameters,
        report: EvaluationReport,
        plots: Mapping[str, bytes],
        rounds: RoundLosses | None,
    ) -> None:
        """Log a model and its evaluation; a booster's losses by round, too.

        Raises:
            TrackingError: it cannot be logged.
        """


class Tracking(Protocol):
    """One tracker."""

    def run(self, spec: PipelineSpec, split: Split) -> AbstractContextManager[OpenRun]:
        """Open the run of a training; FAILED when an exception leaves it.

        Raises:
            TrackingError: it cannot be opened.
        """


def train(flags: Flags, storage: Storage) -> tuple[bool, str]:
    """Run the gate, fit and evaluate the model, and write the bundle.

    Raises:
        AssayError: as of every command; where the tracker does not answer, after the bundle is written.
    """
    prepare_process()
    tuned = with_tuned(flags, storage)
    # complain about the flags before the data is read
    described = pipeline_of(tuned)
    target = _target(described)
    _require_tracker(flags)
    if not flags.overwrite and storage.has_file(joined(target, MANIFEST_FILE)):
        raise TargetExistsError.at(target)
    base = base_model(flags.base_model_uri, described, storage)
    data = gated(tuned, storage, base.model.manifest if base is not None else None)
    if data.window is None:
        show_gate(data, flags)
        return False, ""
    split = split_window(data.window, data.spec, base.model.manifest if base is not None else None)
    best = _best(split, data.spec)
    with _tracked(flags.tracking_uri, data.spec, split) as tracked:
        fitted = with_golden(recorded_fit(split, best, data.spec, base, code_state(), data.schemas))
        _log_outliers(fitted)
        model = fitted.annotated(**tracked.annotations) if tracked else fitted
        report = evaluate(model, split, data.spec, warnings=warnings_of(data.window))
        _LOG.info("%s on the holdout: %s", report.primary_metric, report.in_words(report.primary_metric))
        if report.of_recipe:
            _LOG.info(report.of_recipe)
        if not beats_baseline(report):
            _LOG.warning("the model is no better on the holdout than a baseline that ignores the features")
        for doubt in report.doubts:
            _LOG.warning("the holdout may be too good: %s", doubt)
        with scratch_folder("bundle") as folder:
            _save(model, report, data, Path(folder))
            storage.put_bundle(Path(folder), target, overwrite=flags.overwrite)
        if tracked:
            rounds = losses_by_round(model, split, data.spec.training.seed)
            tracked.log(model, best, report, plots_for(model, split, data.spec), rounds)
            if flags.run_id_uri is not None:
                put_text(storage, tracked.run_id, flags.run_id_uri)
    show([_trained(data, best, report, target, tracked)])
    return True, target


def _trained(
    data: GatedData, best: BestHyperparameters, report: EvaluationReport, target: str, tracked: OpenRun | None
) -> Summary:
    """Return what a training ends with."""
    run = (Fact("MLflow run", tracked.run_id),) if tracked else ()
    return Summary(
        f"{data.spec.name}, trained",
        facts=(*gate_facts_of(data), *search_facts(best), *missing_facts(report)),
        metrics=metric_rows(report),
        addresses=(*run, Fact("model", target), Fact("model card", joined(target, "model_card.md"))),
    )


def _require_tracker(flags: Flags) -> None:
    if flags.run_id_uri is not None and flags.tracking_uri is None:
        raise SpecError("there is no run without a tracker", where="--run-id-uri", remedy="add --tracking-uri")


def _log_outliers(model: TrainedModel) -> None:
    _, dropped = fitted_on_training_rows(model.estimator)
    for each in dropped:
        text = "%s: %s of %s training rows dropped, %s"
        _LOG.info(text, each["step"], f"{each['dropped']:,}", f"{each['rows_in']:,}", each["column"])


def _target(spec: PipelineSpec) -> str:
    if spec.training.target_output_path is None:
        raise SpecError("there is no folder for the model", where="--target-output-path", remedy="add the flag")
    if not _PATH_PART.fullmatch(spec.model.version):
        raise SpecError(
            "the model version cannot name a folder",
            where="--model-version",
            found=repr(spec.model.version),
            expected="letters, digits and . _ + -",
        )
    return joined(spec.training.target_output_path, spec.model.candidates[0].replace(":", "."), spec.model.version)


def _tracked(uri: str | None, spec: PipelineSpec, split: Split) -> AbstractContextManager[OpenRun | None]:
    """Return the open run of a tracker; of none without an address."""
    if uri is None:
        return contextlib.nullcontext()
    make = adapter(GROUP, "mlflow", error=TrackingError, what="MLflow cannot be used here", where="--tracking-uri")
    tracking: Tracking = make(uri)
    return tracking.run(spec, split)


def _save(model: TrainedModel, report: EvaluationReport, data: GatedData, folder: Path) -> None:
    texts = {
        "metrics.json": report.model_dump_json(indent=2) + "\n",
        "model_card.md": render(model, report, None, data.spec),
        "validation_report.json": data.last.report.model_dump_json(indent=2) + "\n",
    }
    save_model(model, folder, beside=texts)


def base_model(uri: str | None, spec: PipelineSpec, storage: Storage) -> BaseModel | None:
    """Return the model to continue from; None for a full fit.

    Raises:
        SpecError: a full fit was given a base.
        SourceError: a file of the bundle is not there.
        UntrustedModelError: the model holds a type that is not allowed.
    """
    if spec.training.scenario == "full":
        if uri is not None:
            raise SpecError(
                "a full fit has no base model",
                where="--base-model-uri",
                found=uri,
                remedy="add --training-scenario incremental, or leave the base model out",
            )
        return None
    if uri is None:
        _LOG.warning("no --base-model-uri is given, so the incremental training is a full fit")
        return None
    model, digest = fetched_bundle(uri, storage)
    return BaseModel(model, ParentModel(version="", digest=digest))
