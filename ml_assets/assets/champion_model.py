"""`champion_model`: the registry's champion after the comparison with the new model."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.errors import ChampionChangedError
from assay.learning.splitting import Split
from assay.markdown import escaped, one_line
from assay.promotion.champion import ChampionChange, ChampionRecord, CurrentChampion, promoted_by
from assay.promotion.comparison import holdout_of
from assay.promotion.decision import PromotionDecision, decide
from assay.promotion.model_card import render
from assay.promotion.people import commands_for, with_people
from assay.results.evaluation_report import EvaluationReport
from assay.results.trained_model import TrainedModel
from assay.specs import PipelineSpec
from assay.specs.base import digest_of
from ml_assets.assets.metadata import records_table, warning_check
from ml_assets.assets.small_figures import small_figures
from ml_assets.dagster_internals import step_of
from ml_assets.pipeline.asset import Stage, own_input, pipeline_asset
from ml_assets.pipeline.automation import champion_changes_key
from ml_assets.pipeline.model_reports import publish_report, report_with
from ml_assets.pipeline.partitions import check_of_partitions
from ml_assets.pipeline.run_context import asset_key, partition_of
from ml_assets.pipeline.verified_inputs import verified_split, window_input
from resources.artifacts.io_manager import ArtifactIOManager
from resources.mlflow.models import PublishedModel
from resources.mlflow.pages import version_page
from resources.mlflow.registry import Comparison, MlflowModelRegistry
from resources.report_site import REPORT_PAGE, ReportSite

CHAMPION_ASSET = "champion_model"
BETTER_IS_CHAMPION = "better_model_is_champion"
_CHANGE = "champion change"
"""Key of the typed entry in events of earlier versions."""
_TAGS = {"outcome": "champion/outcome", "version": "champion/version", "previous_version": "champion/replaced"} | {
    "proposed_version": "champion/proposed"
}
"""The tag of an event that holds a field of the change."""
_NAME, _REASON = "registered model", "reason"
_COMPARISONS = 4


def build_champion_model(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/champion_model` with its check."""
    key = asset_key(spec, stage.name)

    @pipeline_asset(
        spec,
        stage,
        description="The champion in the model registry, after the comparison with the new model.",
        ins={
            "validated_dataset": window_input(spec),
            "trained_model": own_input(spec, "trained_model"),
            "evaluation_report": own_input(spec, "evaluation_report"),
        },
        checks=[
            check_of_partitions(
                spec,
                BETTER_IS_CHAMPION,
                key,
                description="The better model of the comparison is champion. Fails where a person decides, a safeguard "
                "blocks, or the challenger misses its minimum or its baseline.",
            )
        ],
    )
    def champion_model(  # noqa: PLR0913, PLR0917 - inputs and resources of the asset
        context: dg.AssetExecutionContext,
        validated_dataset: dict[str, ValidatedDataset],
        trained_model: TrainedModel,
        evaluation_report: EvaluationReport,
        run_spec: PipelineSpec,
        model_registry: MlflowModelRegistry,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
        report_site: dg.ResourceParam[ReportSite],
    ) -> Iterator[dg.Output[ChampionRecord] | dg.AssetCheckResult]:
        split = verified_split(validated_dataset, run_spec, context)
        published = _published(context, trained_model, run_spec, artifact_io_manager)
        record, card = _compared(context.run.run_id, published, evaluation_report, split, model_registry, run_spec)
        if not run_spec.space.is_production:
            record = _with_production(record, published, evaluation_report, split, model_registry, run_spec)
        page, site, figures = "", report_site.of(run_spec.space), dict[str, dg.MarkdownMetadataValue]()
        if (report := report_with(record, evaluation_report, context, artifact_io_manager)) is not None:
            page = site.page(publish_report(context, artifact_io_manager, report, site, card), REPORT_PAGE)
            figures = small_figures(report.drawings)
            if report.version:
                versions, reason = model_registry.versions(run_spec.registered_name), record.decision.reason
                versions.link(report.version, page, one_line(reason))
        pages = {"report": page, "over time": site.history(record.pipeline)}
        pages |= {"in MLflow": _page_in_mlflow(record, site)}
        yield dg.Output(record, metadata=_record_metadata(record, card, pages, figures), tags=_tags(record.change))
        yield _better_is_champion(record)
        if record.decision.promotes and spec.scoring and not run_spec.space.experiment:
            context.log_event(_recorded_change(spec, record.change))

    return champion_model


def _published(
    context: dg.AssetExecutionContext, model: TrainedModel, spec: PipelineSpec, manager: ArtifactIOManager
) -> PublishedModel:
    """Return the challenger as the artifact store has published it."""
    asset = tuple(asset_key(spec, "trained_model").path)
    commit = manager.commit_read(context.run.run_id, step_of(context).key, asset, partition_of(context))
    return PublishedModel(model, commit.data_version, partial(manager.artifacts().write_files, commit))


def _compared(
    run_id: str,
    published: PublishedModel,
    report: EvaluationReport,
    split: Split,
    registry: MlflowModelRegistry,
    spec: PipelineSpec,
) -> tuple[ChampionRecord, str]:
    """Compare the challenger with the current champion, again if the champion changed meanwhile.

    What people decided earlier counts: a model that they took back is not promoted. A retry of a step that has promoted
    the challenger already returns that decision.

    Returns:
        The decision that was carried out, and the model card.

    Raises:
        ChampionChangedError: the champion changed each time; the step may be retried later.
    """
    challenger, compared = published.model, 0
    while True:
        champion = registry.current_champion(spec.registered_name)
        if champion is not None and (promoted := promoted_by(run_id, challenger, champion)):
            return promoted, render(challenger, report, promoted.decision, spec)
        decision = _decided(published, champion, split, report, registry, spec)
        decision = with_people(decision, published.digest, registry.history(spec.registered_name), spec)
        card, evidence = render(challenger, report, decision, spec), digest_of(report, decision)
        try:
            entry = champion.entry if champion else None
            comparison = Comparison(challenger, entry, decision, card, run_id, published, evidence)
            return registry.apply(comparison, spec), card
        except ChampionChangedError:
            compared += 1
            if compared == _COMPARISONS:
                raise


def _decided(
    published: PublishedModel,
    champion: CurrentChampion | None,
    split: Split,
    report: EvaluationReport,
    registry: MlflowModelRegistry,
    spec: PipelineSpec,
) -> PromotionDecision:
    """Return the decision, counted as a use of its holdout before anything follows from it."""
    uses = registry.holdout_uses(spec.registered_name)
    earlier = uses.of_others(holdout_of(split, spec), published.digest)
    decision = decide(published.model, champion.model if champion else None, split, report, spec, earlier)
    if decision.holdout is not None:
        uses.add(decision.holdout, published.digest)
    return decision


def _with_production(
    record: ChampionRecord,
    published: PublishedModel,
    report: EvaluationReport,
    split: Split,
    registry: MlflowModelRegistry,
    spec: PipelineSpec,
) -> ChampionRecord:
    """Return the record of another space with the comparison with production's champion, which it leaves as it is."""
    champion = registry.production_champion(spec)
    earlier = registry.production_uses(spec).of_others(holdout_of(split, spec), published.digest)
    decision = decide(published.model, champion.model if champion else None, split, report, spec, earlier)
    return record.model_copy(
        update={
            "space": spec.space.name,
            "production_version": champion.version if champion else None,
            "against_production": decision,
        }
    )


def change_metadata(change: ChampionChange) -> dict[str, Any]:
    """Return a promotion decision or a roll-back for people; with `_tags` it is readable by `champion_change`."""
    return {
        "decision": change.outcome,
        _REASON: change.reason,
        _NAME: change.registered_name,
        "champion version": change.version or "none",
        "replaced version": change.previous_version or "none",
        **({"version that waits": change.proposed_version} if change.outcome == "needs_approval" else {}),
    }


def _tags(change: ChampionChange) -> dict[str, str]:
    """Return outcome and versions as tags of an event."""
    given = change.model_dump(mode="json")
    return {tag: given[field] for field, tag in _TAGS.items() if given[field] is not None}


def champion_events(
    spec: PipelineSpec, change: ChampionChange
) -> Iterator[dg.AssetObservation | dg.AssetMaterialization]:
    """Yield the events that show a change outside of `champion_model`, and from which predictions follow."""
    # an observation: the asset keeps the record of its last decision, and its page shows both
    yield dg.AssetObservation(asset_key(spec, CHAMPION_ASSET), metadata=change_metadata(change), tags=_tags(change))
    if spec.scoring and change.outcome in {"promoted", "rolled_back", "approved"}:
        yield _recorded_change(spec, change)


def _recorded_change(spec: PipelineSpec, change: ChampionChange) -> dg.AssetMaterialization:
    """Return the event that predictions follow."""
    return dg.AssetMaterialization(champion_changes_key(spec.name), metadata=change_metadata(change))


def champion_change(event: dg.AssetMaterialization | dg.AssetObservation) -> ChampionChange | None:
    """Return the change that an event of `champion_model` records; None where it records none."""
    if (entry := event.metadata.get(_CHANGE)) is not None:
        return ChampionChange.model_validate(entry.value)
    tags = event.tags or {}
    if _TAGS["outcome"] not in tags:
        return None
    facts = {field: tags.get(tag) for field, tag in _TAGS.items()}
    return ChampionChange.model_validate(
        facts | {"registered_name": event.metadata[_NAME].value, "reason": event.metadata[_REASON].value}
    )


def _page_in_mlflow(record: ChampionRecord, site: ReportSite) -> str:
    """Return the address of the version that is champion, or waits; empty without such a version."""
    shown = record.proposed_version or record.version
    return version_page(site.mlflow, record.registered_name, shown) if shown else ""


def _record_metadata(
    record: ChampionRecord, card: str, pages: Mapping[str, str], figures: Mapping[str, dg.MarkdownMetadataValue]
) -> dict[str, Any]:
    links = {name: dg.MetadataValue.url(page) for name, page in pages.items() if page}
    return {
        **{name: links.pop(name) for name in ("report",) if name in links},
        **change_metadata(record.change),
        **links,
        **({"to decide": _to_decide(record)} if record.proposed_version else {}),
        **_production_metadata(record),
        **(
            {"champion and challenger": records_table(_compared_rows(record.decision))}
            if record.decision.values
            else {}
        ),
        **({"challenger on its holdout": _on_holdout(record.decision)} if record.decision.holdout_interval else {}),
        **figures,
        "decision in numbers": dg.MetadataValue.json(record.decision.model_dump(mode="json")),
        "model card": dg.MetadataValue.md(card),
    }


def _compared_rows(decision: PromotionDecision) -> list[dict[str, Any]]:
    """Return one row for each metric of all compared rows, then of each slice."""
    return [
        {
            "of": f"{part.column} = {part.value}" if part.column else "all compared rows",
            "rows": part.rows,
            "metric": name,
            "champion": part.champion.get(name),
            "challenger": value,
        }
        for part in decision.values
        for name, value in part.challenger.items()
    ]


def _on_holdout(decision: PromotionDecision) -> str:
    """Return the challenger's metric with its interval, and the baseline's."""
    low, high = decision.holdout_interval or (None, None)
    baseline = "" if decision.baseline_value is None else f"; baseline {decision.baseline_value:.4g}"
    return f"{decision.metric} = {decision.value_at_promotion:.4g} ({low:.4g} to {high:.4g}{baseline})"


def _production_metadata(record: ChampionRecord) -> dict[str, Any]:
    if record.against_production is None:
        return {}
    decision = record.against_production
    return {
        "production champion version": record.production_version or "none",
        "against production": f"{decision.verdict}: {decision.reason}",
        "against production in numbers": dg.MetadataValue.json(decision.model_dump(mode="json")),
    }


def _better_is_champion(record: ChampionRecord) -> dg.AssetCheckResult:
    text = f"{record.decision.reason} {_to_decide(record)}".strip()
    settled = record.decision.verdict in {"promoted", "kept_champion"}
    return warning_check(BETTER_IS_CHAMPION, escaped(text), passed=settled)


def _to_decide(record: ChampionRecord) -> str:
    waiting = record.proposed_version
    return f"Version {waiting} waits: {commands_for(record.pipeline, waiting)}." if waiting else ""
