"""The bank marketing work without Dagster's runs and without the artifact store: what the platform is measured against.

It calls the same domain functions and logs to MLflow in the same way, so that the difference is the platform. Dagster
is imported, because the tracker is one of its resources, and does nothing; `overhead` takes the import off.
Does not belong here: measuring.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from assay.gate.gate import run_gate
from assay.learning.evaluation.evaluating import evaluate
from assay.learning.evaluation.plots import plots_for
from assay.learning.splitting import split_window
from assay.learning.training import train
from assay.learning.tuning.search import find_best_hyperparameters
from assay.promotion.decision import decide
from assay.promotion.model_card import render
from assay.reading.source_files import read_rows
from assay.specs import load_pipeline
from ml_assets.pipeline.tracking import log_evaluation, log_training, run_tags
from resources.mlflow.registry import Comparison, MlflowModelRegistry
from resources.mlflow.tracker import MlflowTracker, RunIdentity
from resources.object_store import BoundedS3Resource, ObjectStoreResource
from resources.settings import Settings


@dataclass(frozen=True)
class File:
    """The one source file."""

    path: Path
    uri: str
    data_format: None = None


def main(pipeline: Path, source: Path) -> None:
    """Do the work once; print the holdout metrics as JSON."""
    spec = load_pipeline(pipeline)
    settings = Settings()
    tracker = MlflowTracker(tracking_uri=settings.tracking_uri, artifact_root=settings.artifact_root)
    registry = MlflowModelRegistry(
        tracking_uri=settings.tracking_uri,
        object_store=ObjectStoreResource(uri=settings.artifact_uri, s3=BoundedS3Resource()),
    )

    rows = read_rows([File(source, str(source))], spec.dataset, where="plain script")
    verdict = run_gate(rows.partition(None, where="plain script"), spec, where="plain script")
    if verdict.accepted is None:
        sys.exit("the gate refused the data")
    split = split_window({"": verdict.accepted}, spec)
    best = find_best_hyperparameters(
        split.train, spec, features=split.features, groups=split.train_groups, classes=split.classes
    )
    with tracker.run(RunIdentity(spec.name, "plain", "plain/trained_model", None), run_tags(spec, split)) as tracked:
        model = train(split, best, spec).annotated(mlflow_run_id=tracked.run_id)
        log_training(tracked, model, best, spec)
        registry.log_model(tracked, model)
    report = evaluate(model, split, spec)
    log_evaluation(tracker, model, report, plots_for(model, split, spec))
    champion = registry.current_champion(spec.registered_name)
    decision = decide(model, champion.model if champion else None, split, report, spec)
    card = render(model, report, decision, spec)
    registry.apply(Comparison(model, champion.entry if champion else None, decision, card, run_id="benchmark"), spec)
    print(json.dumps(report.metrics))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
