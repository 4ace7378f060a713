"""`trained_model`: the final fit, tracked in MLflow."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.learning.training import train
from assay.results.search_result import BestHyperparameters
from assay.results.trained_model import TrainedModel
from assay.specs import PipelineSpec
from ml_assets.assets.metadata import records_table
from ml_assets.pipeline.asset import Stage, own_input, pipeline_asset
from ml_assets.pipeline.tracking import log_training, run_identity, run_tags
from ml_assets.pipeline.verified_inputs import verified_split, window_input
from resources.artifacts.model_export import ModelExporter
from resources.mlflow.registry import MlflowModelRegistry
from resources.mlflow.tracker import MlflowTracker, TrackedRun


def build_trained_model(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/trained_model`."""

    @pipeline_asset(
        spec,
        stage,
        description="The model fitted on all training rows, with its manifest; logged as one MLflow run.",
        ins={
            "validated_dataset": window_input(spec),
            "best_hyperparameters": own_input(spec, "best_hyperparameters"),
        },
    )
    def trained_model(
        context: dg.AssetExecutionContext,
        validated_dataset: dict[str, ValidatedDataset],
        best_hyperparameters: BestHyperparameters,
        run_spec: PipelineSpec,
        experiment_tracker: MlflowTracker,
        model_registry: MlflowModelRegistry,
        model_exporter: ModelExporter,
    ) -> Iterator[dg.Output[TrainedModel]]:
        split = verified_split(validated_dataset, run_spec, context)
        incremental = run_spec.training.scenario == "incremental"
        champion = model_registry.current_champion(run_spec.registered_name) if incremental else None
        identity = run_identity(
            context, run_spec, split, best_hyperparameters, champion.entry.digest if champion else ""
        )
        with experiment_tracker.run(identity, run_tags(run_spec, split)) as tracked:
            model = train(split, best_hyperparameters, run_spec, champion.model if champion else None).annotated(
                mlflow_run_id=tracked.run_id
            )
            exported = model_exporter.export(model, run_spec)
            # published before it is tracked: an outage of the tracker must not cost a finished fit
            yield dg.Output(model, metadata=_model_metadata(model, exported, tracked))
            log_training(tracked, model, best_hyperparameters, run_spec)
            model_registry.log_model(tracked, model)

    return trained_model


def _model_metadata(model: TrainedModel, exported: str | None, tracked: TrackedRun) -> dict[str, Any]:
    """Return the facts of a fitted model and where it is tracked."""
    from assay.learning.estimators.assembly import category_encodings

    facts = model.manifest
    encodings = [{"column": name, "encoded": how} for name, how in category_encodings(model.estimator).items()]
    shown: dict[str, Any] = {
        "family": facts.family,
        "hyperparameters": dg.MetadataValue.json(facts.parameters),
        "scenario": facts.scenario_applied,
        "training rows": facts.train_rows,
        "holdout rows": facts.holdout_rows,
        "features": records_table(
            [{"feature": c.name, "dtype": c.dtype, "role": str(c.role)} for c in facts.features.columns]
        ),
        "unused columns": records_table([{"column": name, "why": why} for name, why in facts.unused_columns.items()]),
        **({"categories": records_table(encodings)} if encodings else {}),
        "MLflow run": tracked.run_id,
        "where to look": tracked.url,
    }
    return shown | ({"exported to": exported} if exported else {})
