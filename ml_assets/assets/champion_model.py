"""`champion_model`: the registry's champion after the comparison with the new model."""

from collections.abc import Iterator

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.errors import ChampionChangedError
from assay.learning.splitting import Split
from assay.promotion.champion import ChampionRecord
from assay.promotion.decision import decide
from assay.promotion.model_card import render
from assay.results.evaluation_report import EvaluationReport
from assay.results.trained_model import TrainedModel
from assay.specs import PipelineSpec
from ml_assets.pipeline.asset import Stage, own_input, pipeline_asset
from ml_assets.pipeline.partitions import check_of_partitions
from ml_assets.pipeline.run_context import asset_key
from ml_assets.pipeline.verified_inputs import verified_split, window_input
from ml_assets.presentation.promotion import champion_metadata, check_of_champion
from resources.mlflow.registry import Comparison, MlflowModelRegistry

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
                "beats_champion",
                key,
                description="The new model is better than the champion, or the first.",
            )
        ],
    )
    def champion_model(
        context: dg.AssetExecutionContext,
        validated_dataset: dict[str, ValidatedDataset],
        trained_model: TrainedModel,
        evaluation_report: EvaluationReport,
        run_spec: PipelineSpec,
        model_registry: MlflowModelRegistry,
    ) -> Iterator[dg.Output[ChampionRecord] | dg.AssetCheckResult]:
        split = verified_split(validated_dataset, run_spec, context)
        record, card = _compared(trained_model, evaluation_report, split, model_registry, run_spec)
        yield dg.Output(record, metadata=champion_metadata(record, card))
        yield check_of_champion(record)

    return champion_model


def _compared(
    challenger: TrainedModel,
    report: EvaluationReport,
    split: Split,
    registry: MlflowModelRegistry,
    spec: PipelineSpec,
) -> tuple[ChampionRecord, str]:
    """Compare the challenger with the current champion, again if the champion changed meanwhile.

    Returns:
        The decision that was carried out, and the model card.

    Raises:
        ChampionChangedError: the champion changed each time; the step may be retried later.
    """
    compared = 0
    while True:
        champion = registry.current_champion(spec.registered_name)
        decision = decide(challenger, champion.model if champion else None, split, report, spec)
        card = render(challenger, report, decision, spec)
        try:
            comparison = Comparison(challenger, champion.version if champion else None, decision, card)
            return registry.apply(comparison, spec), card
        except ChampionChangedError:
            compared += 1
            if compared == _COMPARISONS:
                raise
