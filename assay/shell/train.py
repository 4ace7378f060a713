"""`assay train`: gated data to the bundle of an evaluated model, and the port of trackers."""

import contextlib
import logging
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from assay.errors import DigestMismatchError, SourceNotFoundError, SpecError, TargetExistsError, TrackingError
from assay.learning.evaluation.evaluating import beats_baseline, evaluate
from assay.learning.evaluation.plots import plots_for
from assay.learning.persistence import EXAMPLE_FILE, MODEL_FILE, load_model, save_model
from assay.learning.splitting import Split, split_window
from assay.learning.training import train
from assay.learning.tuning.search import find_best_hyperparameters
from assay.promotion.model_card import render
from assay.results.bundle import MANIFEST_FILE, folder_of
from assay.results.evaluation_report import EvaluationReport
from assay.results.search_result import BestHyperparameters
from assay.results.trained_model import TrainedModel
from assay.scratch import scratch_folder
from assay.shell.flags import Flags
from assay.shell.pipeline_flags import pipeline_of
from assay.shell.storage import Storage, adapter, joined
from assay.shell.tune import with_tuned
from assay.shell.validate import GatedData, gated
from assay.specs.pipeline import PipelineSpec

_LOG = logging.getLogger("assay.shell")
_PATH_PART = re.compile(r"\w[\w.+-]*")
_FETCHES = 3


def base_model(uri: str | None, spec: PipelineSpec, storage: Storage) -> TrainedModel | None:
    """Return the model to continue from; None for a full fit.

    Args:
        uri: of a bundle.
        spec: the pipeline with the scenario.
        storage: where the bundle is.

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
    for _ in range(_FETCHES - 1):
        with contextlib.suppress(SourceNotFoundError, DigestMismatchError):  # replaced meanwhile, or a bit flipped
            return _fetched_model(uri, storage)
    return _fetched_model(uri, storage)


def _fetched_model(uri: str, storage: Storage) -> TrainedModel:
    """Return the model whose manifest is at an address now."""
    with scratch_folder("base") as name:
        fetched, bundle = Path(name, "fetched"), Path(name, "bundle")
        fetched.mkdir()
        bundle.mkdir()
        shutil.copyfile(storage.fetch(joined(uri, MANIFEST_FILE), fetched)[0].path, bundle / MANIFEST_FILE)
        folder = folder_of((bundle / MANIFEST_FILE).read_bytes())
        (bundle / folder).mkdir(exist_ok=True)
        for file in (MODEL_FILE, EXAMPLE_FILE):
            address = joined(uri, folder, file) if folder else joined(uri, file)
            shutil.copyfile(storage.fetch(address, fetched)[0].path, bundle / folder / file)
        return load_model(bundle)


GROUP = "assay.tracking"


class OpenRun(Protocol):
    """A run that is open."""

    @property
    def run_id(self) -> str:
        """The tracker's id of the run."""

    def log(
        self, model: TrainedModel, best: BestHyperparameters, report: EvaluationReport, plots: Mapping[str, bytes]
    ) -> None:
        """Log a model and its evaluation.

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


def tracking_at(uri: str) -> Tracking:
    """Return the tracker at an address; it is not contacted yet.

    Raises:
        TrackingError: no adapter is installed.
    """
    make = adapter(GROUP, "mlflow", error=TrackingError, what="MLflow cannot be used here", where="--tracking-uri")
    made: Tracking = make(uri)
    return made


def run(flags: Flags, storage: Storage) -> tuple[bool, str]:
    """Run the gate, fit and evaluate the model, and write the bundle.

    Args:
        flags: the command's.
        storage: for data and bundle.

    Returns:
        Whether the data passed the gate, and the bundle's address; nothing is fitted when it did not.

    Raises:
        AssayError: a flag is not acceptable, the data cannot be read, nothing can be learned from it, the bundle
            cannot be written, or the tracker does not answer, which is raised after the bundle is written.
    """
    tuned = with_tuned(flags, storage)
    # complain about the flags before the data is read
    described = pipeline_of(tuned)
    target = _target(described)
    if not flags.overwrite and storage.has_file(joined(target, MANIFEST_FILE)):
        raise TargetExistsError.at(target)
    base = base_model(flags.base_model_uri, described, storage)
    data = gated(tuned, storage, base.manifest if base is not None else None)
    if data.window is None:
        return False, ""
    split = split_window(data.window, data.spec)
    best = find_best_hyperparameters(
        split.train, data.spec, features=split.features, groups=split.train_groups, classes=split.classes
    )
    with _tracked(flags.tracking_uri, data.spec, split) as tracked:
        fitted = train(split, best, data.spec, base)
        model = fitted.annotated(mlflow_run_id=tracked.run_id) if tracked else fitted
        report = evaluate(model, split, data.spec)
        _LOG.info("%s on the holdout: %.5g", report.primary_metric, report.metrics[report.primary_metric])
        if not beats_baseline(report):
            _LOG.warning("the model is no better on the holdout than a baseline that ignores the features")
        _publish(model, report, data, target, storage, overwrite=flags.overwrite)
        if tracked:
            tracked.log(model, best, report, plots_for(model, split, data.spec))
    return True, target


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


@contextlib.contextmanager
def _tracked(uri: str | None, spec: PipelineSpec, split: Split) -> Iterator[OpenRun | None]:
    if uri is None:
        yield None
        return
    with tracking_at(uri).run(spec, split) as tracked:
        yield tracked


def _publish(
    model: TrainedModel,
    report: EvaluationReport,
    data: GatedData,
    target: str,
    storage: Storage,
    *,
    overwrite: bool,
) -> None:
    with scratch_folder("bundle") as name:
        folder = Path(name)
        texts = {
            "metrics.json": report.model_dump_json(indent=2) + "\n",
            "model_card.md": render(model, report, None, data.spec),
            "validation_report.json": data.last.report.model_dump_json(indent=2) + "\n",
        }
        save_model(model, folder, beside=texts)
        storage.put_bundle(folder, target, overwrite=overwrite)
