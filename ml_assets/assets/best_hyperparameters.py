"""`best_hyperparameters`: the model family and parameters that did best on the training rows.

Does not belong here: how the search works.
"""

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.learning.tuning.search import find_best_hyperparameters
from assay.results.search_result import BestHyperparameters
from assay.specs import PipelineSpec
from ml_assets.pipeline.asset import pipeline_asset
from ml_assets.pipeline.run_parameters import RunParameters
from ml_assets.pipeline.verified_inputs import verified_split, window_input
from ml_assets.presentation.learning import search_metadata, trial_logger


def build_best_hyperparameters(spec: PipelineSpec) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/best_hyperparameters`."""

    @pipeline_asset(
        spec,
        "best_hyperparameters",
        stage="tuning",
        kinds={"optuna"},
        description="Model family and hyperparameters found on the training rows alone.",
        ins={"validated_dataset": window_input(spec)},
        pool=spec.execution.pool,
    )
    def best_hyperparameters(
        context: dg.AssetExecutionContext,
        validated_dataset: dict[str, ValidatedDataset],
        run_parameters: RunParameters,
    ) -> dg.Output[BestHyperparameters]:
        run = run_parameters.applied_to(spec, context)
        split = verified_split(validated_dataset, run, context)
        best = find_best_hyperparameters(
            split.train,
            run,
            features=split.features,
            groups=split.train_groups,
            classes=split.classes,
            progress=trial_logger(context.log, run),
        )
        return dg.Output(best, metadata=search_metadata(best))

    return best_hyperparameters
