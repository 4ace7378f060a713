"""`best_hyperparameters`: the model family and parameters that did best on the training rows.

Does not belong here: how the search works.
"""

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.learning.tuning.search import find_best_hyperparameters
from assay.results.search_result import BestHyperparameters
from assay.specs import PipelineSpec
from ml_assets.pipeline.asset import Stage, pipeline_asset
from ml_assets.pipeline.verified_inputs import verified_split, window_input
from ml_assets.presentation.learning import search_metadata, trial_logger


def build_best_hyperparameters(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/best_hyperparameters`."""

    @pipeline_asset(
        spec,
        stage,
        description="Model family and hyperparameters found on the training rows alone.",
        ins={"validated_dataset": window_input(spec)},
    )
    def best_hyperparameters(
        context: dg.AssetExecutionContext,
        validated_dataset: dict[str, ValidatedDataset],
        run_spec: PipelineSpec,
    ) -> dg.Output[BestHyperparameters]:
        split = verified_split(validated_dataset, run_spec, context)
        best = find_best_hyperparameters(
            split.train,
            run_spec,
            features=split.features,
            groups=split.train_groups,
            classes=split.classes,
            progress=trial_logger(context.log, run_spec),
        )
        return dg.Output(best, metadata=search_metadata(best))

    return best_hyperparameters
