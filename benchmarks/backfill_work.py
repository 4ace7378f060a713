"""A backfill of some months: as one range run of Dagster in this process, or as a plain loop.

Does not belong here: measuring (`backfill`).
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator

from assay.data.dataset import ValidatedDataset
from assay.gate.gate import run_gate
from assay.learning.evaluation.evaluating import evaluate
from assay.learning.evaluation.plots import plots_for
from assay.learning.splitting import split_window
from assay.learning.training import train
from assay.learning.tuning.search import find_best_hyperparameters
from assay.promotion.decision import decide
from assay.promotion.model_card import render
from assay.reading.source_files import read_rows
from assay.results.evaluation_report import EvaluationReport
from assay.specs import PipelineSpec, load_pipeline
from definitions import build_definitions
from ml_assets.pipeline.asset import Phase
from ml_assets.pipeline.tracking import log_evaluation, log_training, run_tags
from ml_assets.resource_wiring import resources_for
from ml_assets.stages import names_in
from resources.mlflow.registry import Comparison, MlflowModelRegistry
from resources.mlflow.tracker import MlflowTracker, RunIdentity
from resources.object_store import BoundedS3Resource, ObjectStoreResource
from resources.settings import Settings


def main(side: str, months: list[str]) -> None:
    """Do the work once; print the primary metric of each month as JSON."""
    spec = load_pipeline(Path("pipelines") / "flights.yaml")
    print(json.dumps(as_assets(spec, months) if side == "assets" else as_loop(spec, months)))


def as_assets(spec: PipelineSpec, months: list[str]) -> dict[str, float]:
    """Materialise the months in one run, as a run's own process does it: events are stored and not kept."""
    settings = Settings()
    definitions = build_definitions(settings)
    keys = frozenset(dg.AssetKey([spec.name, name]) for name in names_in(Phase.INGESTION, Phase.LEARNING))
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(asset_selection=keys)
    tags = {"dagster/asset_partition_range_start": months[0], "dagster/asset_partition_range_end": months[-1]}
    with dg.DagsterInstance.get() as instance:
        run = instance.create_run_for_job(job, tags=tags, asset_selection=keys)
        for event in execute_run_iterator(InMemoryJob(job), run, instance):
            if event.is_failure:
                sys.exit("the run failed")
    artifacts = resources_for(settings)["artifact_io_manager"].artifacts()
    judged = months[spec.split.train_partitions or 0 :]
    reports = {month: artifacts.load((spec.name, "evaluation_report"), month, EvaluationReport) for month in judged}
    return {month: report.metrics[report.primary_metric] for month, report in reports.items()}


def as_loop(spec: PipelineSpec, months: list[str]) -> dict[str, float]:
    """Do the same without runs and without a store."""
    settings, found, held = Settings(), {}, dict[str, ValidatedDataset]()
    tracker = MlflowTracker(tracking_uri=settings.tracking_uri, artifact_root=settings.artifact_root)
    registry = MlflowModelRegistry(
        tracking_uri=settings.tracking_uri,
        object_store=ObjectStoreResource(uri=settings.artifact_uri, s3=BoundedS3Resource()),
    )
    for month, accepted in validated(spec, months, settings):
        held[month] = accepted
        if len(held) <= (spec.split.train_partitions or 0):
            continue
        found[month] = one_month(spec, held, month, tracker, registry)
        del held[min(held)]
    return found


def validated(spec: PipelineSpec, months: list[str], settings: Settings) -> Iterator[tuple[str, ValidatedDataset]]:
    """Yield the rows of each month that passed the gate."""
    sources = resources_for(settings)["data_sources"]
    with ExitStack() as stack:
        rows = read_rows(stack.enter_context(sources.fetched(spec.dataset, months[0])), spec.dataset, where="loop")
        for month in months:
            dataset = rows.partition(month, where=month)
            verdict = run_gate(dataset, spec, where=month, partition=month)
            if verdict.accepted is None:
                sys.exit(f"the gate refused {month}")
            yield month, verdict.accepted


def one_month(
    spec: PipelineSpec,
    window: dict[str, ValidatedDataset],
    month: str,
    tracker: MlflowTracker,
    registry: MlflowModelRegistry,
) -> float:
    """Search, fit, judge and decide as of one month; return the primary metric."""
    split = split_window(window, spec)
    best = find_best_hyperparameters(
        split.train, spec, features=split.features, groups=split.train_groups, classes=split.classes
    )
    with tracker.run(RunIdentity(spec.name, "loop", "loop/trained_model", month), run_tags(spec, split)) as tracked:
        model = train(split, best, spec).annotated(mlflow_run_id=tracked.run_id)
        log_training(tracked, model, best, spec)
        registry.log_model(tracked, model)
    report = evaluate(model, split, spec, partition=month)
    log_evaluation(tracker, model, report, plots_for(model, split, spec))
    champion = registry.current_champion(spec.registered_name)
    decision = decide(model, champion.model if champion else None, split, report, spec)
    card = render(model, report, decision, spec)
    registry.apply(Comparison(model, champion.entry if champion else None, decision, card, run_id="benchmark"), spec)
    return report.metrics[report.primary_metric]


if __name__ == "__main__":
    os.environ.setdefault("DAGSTER_HOME", os.getcwd())  # noqa: PTH109 - Dagster reads text
    main(sys.argv[1], sys.argv[2:])
