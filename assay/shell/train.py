"""`assay train`: gated data to a judged model's bundle.

Does not belong here: fitting, judging, the format of models.
"""

import argparse
import contextlib
import logging
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from assay.errors import SpecError
from assay.evaluation.judging import evaluate
from assay.evaluation.plots import plots_for
from assay.evaluation.report import EvaluationReport
from assay.model_card import render
from assay.persistence import MANIFEST_FILE, save_model
from assay.shell.base_model import base_model
from assay.shell.flagged_pipeline import pipeline_of
from assay.shell.judged_data import JudgedData, judged
from assay.shell.storage import Storage, joined
from assay.shell.tracking import OpenRun, tracking_at
from assay.shell.tuned_hyperparameters import with_tuned
from assay.specs.pipeline import PipelineSpec
from assay.splitting import Split, split_window
from assay.training.fitting import train
from assay.training.trained_model import TrainedModel
from assay.tuning.search import find_best_hyperparameters

_LOG = logging.getLogger("assay.shell")
_PATH_PART = re.compile(r"\w[\w.+-]*")


def run(flags: argparse.Namespace, storage: Storage) -> tuple[bool, str]:
    """Judge the data, fit, judge the model, and write the bundle.

    Args:
        flags: the command's.
        storage: for data and bundle.

    Returns:
        Whether the data passed the gate, and the bundle's address; nothing is fitted when it did not.

    Raises:
        AssayError: a flag is not acceptable, the data cannot be read, nothing can be learned from it, the bundle
            cannot be written, or the tracker does not answer; the bundle is written before a tracker's failure is told.
    """
    tuned = with_tuned(flags, storage)
    # what the flags alone can get wrong is told before the data is read
    described = pipeline_of(tuned)
    target = _target(described)
    base = base_model(flags.base_model_uri, described, storage)
    data = judged(tuned, storage)
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
        _publish(model, report, data, target, storage)
        if tracked:
            tracked.log(model, best, report, plots_for(model, split, data.spec))
    return True, target


def _target(spec: PipelineSpec) -> str:
    if spec.training.target_output_path is None:
        raise SpecError("there is no place for the model", where="--target-output-path", remedy="give the flag")
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


def _publish(model: TrainedModel, report: EvaluationReport, data: JudgedData, target: str, storage: Storage) -> None:
    with tempfile.TemporaryDirectory(prefix="assay-bundle-") as name:
        folder = Path(name)
        save_model(model, folder)
        texts = {
            "metrics.json": report.model_dump_json(indent=2) + "\n",
            "model_card.md": render(model, report, None, data.spec),
            "validation_report.json": data.last.report.model_dump_json(indent=2) + "\n",
        }
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
        storage.put_folder(folder, target, last=MANIFEST_FILE)
