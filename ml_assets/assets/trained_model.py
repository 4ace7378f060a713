"""`trained_model`: the final fit, tracked in MLflow.

Does not belong here: the fit itself, the format in which models are kept.
"""

from collections.abc import Iterator

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.learning.training import train
from assay.results.search_result import BestHyperparameters
from assay.results.trained_model import TrainedModel
from assay.specs import PipelineSpec
from ml_assets.pipeline.asset import own_input, pipeline_asset
from ml_assets.pipeline.run_parameters import RunParameters
from ml_assets.pipeline.tracking import log_training, run_identity, run_tags
from ml_assets.pipeline.verified_inputs import verified_split, window_input
from ml_assets.presentation.learning import model_metadata
from resources.artifacts.model_export import ModelExporter
from resources.mlflow.registry import MlflowModelRegistry
from resources.mlflow.tracker import MlflowTracker


def build_trained_model(spec: PipelineSpec) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/trained_model`."""

    @pipeline_asset(
        spec,
        "trained_model",
        stage="training",
        kinds={"scikitlearn", "mlflow"},
        description="The model fitted on all training rows, with its manifest; logged as one MLflow run.",
        ins={
            "validated_dataset": window_input(spec),
            "best_hyperparameters": own_input(spec, "best_hyperparameters"),
        },
        pool=spec.execution.pool,
    )
    def trained_model(
        context: dg.AssetExecutionContext,
        validated_dataset: dict[str, ValidatedDataset],
        best_hyperparameters: BestHyperparameters,
        run_parameters: RunParameters,
        experiment_tracker: MlflowTracker,
        model_registry: MlflowModelRegistry,
        model_exporter: ModelExporter,
    ) -> Iterator[dg.Output[TrainedModel]]:
        run = run_parameters.applied_to(spec, context)
        split = verified_split(validated_dataset, run, context)
        incremental = run.training.scenario == "incremental"
        with experiment_tracker.run(run_identity(context, run), run_tags(run, split)) as tracked:
            champion = model_registry.current_champion(run.registered_name) if incremental else None
            model = train(split, best_hyperparameters, run, champion.model if champion else None).annotated(
                mlflow_run_id=tracked.run_id
            )
            exported = model_exporter.export(model, run)
            # published before it is tracked: an outage of the tracker must not cost a finished fit
            yield dg.Output(model, metadata=model_metadata(model, exported, tracked))
            log_training(tracked, model, best_hyperparameters, run)

    return trained_model
