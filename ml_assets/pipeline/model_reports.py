"""The report of a model as a step publishes it, and the pages that metadata link to."""

from dataclasses import replace

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.learning.evaluation.plots import Losses
from assay.learning.evaluation.predictions import Predictions
from assay.learning.persistence import EVALUATED_FILE, MODEL_FILE
from assay.promotion.champion import ChampionRecord
from assay.reporting.making import Stored
from assay.reporting.model_report import ModelReport
from assay.reporting.page import to_html, verdict_of
from assay.results.evaluation_report import EvaluationReport
from assay.results.search_result import BestHyperparameters
from assay.specs import PipelineSpec
from assay.specs.base import digest_of
from ml_assets.dagster_internals import step_of
from ml_assets.pipeline.run_context import asset_key, attempt_of, partition_of
from resources.artifacts.io_manager import ArtifactIOManager
from resources.report_pages import EVALUATION, MODEL_REPORT, VERSION
from resources.report_site import CARD_PAGE, REPORT_PAGE, ReportSite
from resources.store.commit_record import Commit


def stored_facts(
    context: dg.AssetExecutionContext,
    artifacts: ArtifactIOManager,
    window: dict[str, ValidatedDataset],
    losses: Losses,
    predictions: Predictions,
    spec: PipelineSpec,
) -> Stored:
    """Return what the store knows of the model that a step has read."""
    asset, partition = tuple(asset_key(spec, "trained_model").path), partition_of(context)
    commit = artifacts.commit_read(context.run.run_id, step_of(context).key, asset, partition)
    return Stored(
        digest=commit.data_version,
        size=_size_of_evaluated(commit),
        rows={key: each.table.num_rows for key, each in window.items()},
        best=_search_of(commit, artifacts, spec),
        losses=losses,
        predictions=predictions,
    )


def _size_of_evaluated(model: Commit) -> int:
    """Return the bytes of the fit that the holdout evaluates, as other families are measured."""
    sizes = {item.name: item.size for item in model.objects}
    return sizes.get(EVALUATED_FILE, sizes[MODEL_FILE])


def _search_of(model: Commit, artifacts: ArtifactIOManager, spec: PipelineSpec) -> BestHyperparameters | None:
    """Return the search that a stored model was made of; None where it is not recorded."""
    asset = tuple(asset_key(spec, "best_hyperparameters").path)
    name = "/".join(asset) + (f"@{model.partition}" if model.partition is not None else "")
    read = model.inputs.get(name)
    if read is None:
        return None
    store = artifacts.artifacts()
    return store.read(store.log.read(asset, model.partition, int(read.partition(":")[0])), BestHyperparameters)


def publish_report(
    context: dg.AssetExecutionContext,
    artifacts: ArtifactIOManager,
    report: ModelReport,
    site: ReportSite,
    card: str = "",
) -> Commit:
    """Publish a report with its page, and the model card where there is one, as the next version of the series."""
    pipeline, registered = context.asset_key.path[0], (report.registered_name, report.version or "")
    made_by = site.made_by(context.run.run_id, report.lineage.links, registered if report.version else None)
    report = report.linked({**made_by, "Over time": site.history(pipeline)})
    verdict = verdict_of(report)
    facts = {
        EVALUATION: digest_of(report.evaluation),
        "verdict": verdict.words,
        "state": verdict.state,
        "family": report.recipe.family,
        VERSION: report.version or "",
    }
    attempt = replace(attempt_of(context, artifacts), properties=facts)
    pages = {REPORT_PAGE: to_html(report), **({CARD_PAGE: card} if card else {})}
    asset = (pipeline, MODEL_REPORT)
    return artifacts.artifacts().publish(asset, partition_of(context), report, attempt, pages)


def report_with(
    record: ChampionRecord,
    evaluation: EvaluationReport,
    context: dg.AssetExecutionContext,
    artifacts: ArtifactIOManager,
) -> ModelReport | None:
    """Return the report of an evaluation with the decision on its model; None where none is stored."""
    store, asset, partition = artifacts.artifacts(), (context.asset_key.path[0], MODEL_REPORT), partition_of(context)
    wanted = digest_of(evaluation)
    for number in range(store.log.newest_number(asset, partition), 0, -1):
        commit = store.log.read(asset, partition, number)
        if commit.properties.get(EVALUATION) == wanted:
            return store.read(commit, ModelReport).decided(record)
    return None
