"""`trained_model`: the final fit, tracked in MLflow."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.learning.final_fit import BaseModel, recorded_fit
from assay.prediction.golden import with_golden
from assay.promotion.champion import CurrentChampion
from assay.results.provenance import ParentModel
from assay.results.search_result import BestHyperparameters
from assay.results.trained_model import ModelManifest, TrainedModel
from assay.specs import PipelineSpec
from assay.specs.space import PRODUCTION
from ml_assets.assets.metadata import records_table
from ml_assets.pipeline.asset import Stage, own_input, pipeline_asset
from ml_assets.pipeline.run_context import asset_key, partition_of
from ml_assets.pipeline.source_schemas import source_schemas
from ml_assets.pipeline.tracking import log_training, run_identity, run_tags
from ml_assets.pipeline.verified_inputs import verified_split, window_input
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.model_export import ModelExporter
from resources.artifacts.store import ArtifactStore
from resources.checkout import Checkout
from resources.data_sources import DataSources
from resources.mlflow.registry import MlflowModelRegistry
from resources.mlflow.tracker import MlflowTracker, TrackedRun
from resources.schema_registry import SchemaRegistry

MLFLOW_RUN = "MLflow run"


def build_trained_model(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/trained_model`."""

    @pipeline_asset(
        spec,
        stage,
        description="The model with its manifest: the fit that the holdout evaluates, and the one that is deployed; "
        "logged as one MLflow run.",
        ins={
            "validated_dataset": window_input(spec),
            "best_hyperparameters": own_input(spec, "best_hyperparameters"),
        },
    )
    def trained_model(  # noqa: PLR0913, PLR0917 - inputs and resources of the asset
        context: dg.AssetExecutionContext,
        validated_dataset: dict[str, ValidatedDataset],
        best_hyperparameters: BestHyperparameters,
        run_spec: PipelineSpec,
        experiment_tracker: MlflowTracker,
        model_registry: MlflowModelRegistry,
        model_exporter: ModelExporter,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
        checkout: dg.ResourceParam[Checkout],
        schema_registry: SchemaRegistry,
        data_sources: DataSources,
    ) -> Iterator[dg.Output[TrainedModel]]:
        split = verified_split(validated_dataset, run_spec, context)
        incremental = run_spec.training.scenario == "incremental"
        champion = model_registry.nearest_champion(run_spec) if incremental else None
        identity = run_identity(
            context, run_spec, split, best_hyperparameters, champion.entry.digest if champion else ""
        )
        with experiment_tracker.run(identity, run_tags(run_spec, split)) as tracked:
            artifacts = artifact_io_manager.artifacts()
            model = _published_before(context, tracked, artifacts) or with_golden(
                recorded_fit(
                    split,
                    best_hyperparameters,
                    run_spec,
                    _base(champion),
                    checkout.state(),
                    source_schemas(run_spec, schema_registry, artifacts, data_sources, partition_of(context)),
                )
            ).annotated(**tracked.annotations)
            exported = model_exporter.export(model, _exported_as(run_spec, spec))
            # published before it is tracked: after an outage of the tracker the next try takes it from the store
            scores = _scores(best_hyperparameters, run_spec)
            yield dg.Output(model, metadata=scores | _model_metadata(model, exported, tracked))
            log_training(tracked, model, best_hyperparameters, run_spec)
            model_registry.log_model(tracked, model)

    return trained_model


def _exported_as(run_spec: PipelineSpec, spec: PipelineSpec) -> PipelineSpec:
    """Return the pipeline whose name the exported bundle carries.

    In the target of the pipeline file no other space replaces production's bundle; a target that the run names is the
    run's alone.
    """
    same_target = run_spec.training.target_output_path == spec.training.target_output_path
    return run_spec if same_target else run_spec.in_space(PRODUCTION)


def _base(champion: CurrentChampion | None) -> BaseModel | None:
    """Return the champion as the model to continue from."""
    if champion is None:
        return None
    entry = champion.entry
    parent = ParentModel(version=entry.version, registered_name=entry.registered_name, digest=entry.digest)
    return BaseModel(champion.model, parent)


def _published_before(
    context: dg.AssetExecutionContext, tracked: TrackedRun, artifacts: ArtifactStore
) -> TrainedModel | None:
    """Return the model that an earlier try of this training published; None without such a model.

    The MLflow run that it names was found by the training's content. Code of the user's own is no part of that, so
    that a model with such classes counts for retries of the same Dagster run alone.
    """
    if not tracked.continues:
        return None
    commit = artifacts.log.newest(tuple(context.asset_key.path), partition_of(context))
    if commit is None:
        return None
    model = artifacts.read(commit, TrainedModel)
    is_same_run = commit.run_id == context.run.run_id
    if model.manifest.annotations.get("mlflow_run_id") != tracked.run_id or (
        model.manifest.own_classes and not is_same_run
    ):
        return None
    context.log.info("version %d was fitted by run %s, whose tracking did not finish", commit.number, commit.run_id)
    return replace(model, files=partial(artifacts.write_files, commit))


def _scores(best: BestHyperparameters, spec: PipelineSpec) -> dict[str, Any]:
    """Return the search's validation value, and the asset that evaluates the model on the holdout."""
    validation = {} if best.value is None else {f"validation {best.metric}": best.value}
    return validation | {"holdout metrics": dg.MetadataValue.asset(asset_key(spec, "evaluation_report"))}


def _made(facts: ModelManifest) -> dict[str, Any]:
    """Return how a model was made."""
    made = facts.provenance
    if made is None:
        return {}
    parent = {"continues": f"version {made.parent.version}"} if made.parent else {}
    return {"fit seconds": made.fit_seconds, "code": made.code.shown, **parent}


def _model_metadata(model: TrainedModel, exported: str | None, tracked: TrackedRun) -> dict[str, Any]:
    """Return the facts of a fitted model and where it is tracked."""
    from assay.learning.estimators.assembly import category_encodings, fitted_on_training_rows

    facts = model.manifest
    encodings = [{"column": name, "encoded": how} for name, how in category_encodings(model.estimator).items()]
    fitted, dropped = fitted_on_training_rows(model.estimator)
    shown_drops = [{name.replace("_", " "): value for name, value in each.items()} for each in dropped]
    personal = {column.name for column in facts.features.columns if column.pii}
    shown_fits = [each | ({"fitted": "***"} if each["column"] in personal else {}) for each in fitted]
    in_words = facts.options.in_words() if facts.options is not None else ()
    options = [{"option": name, "value": value} for name, value in in_words if value]
    shown: dict[str, Any] = {
        "family": facts.family,
        "hyperparameters": dg.MetadataValue.json(facts.parameters),
        **({"options": records_table(options)} if options else {}),
        "scenario": facts.scenario_applied,
        "training rows": facts.train_rows,
        "holdout rows": facts.holdout_rows,
        "rows of the deployed model": facts.deployed_rows,
        "features": records_table(
            [{"feature": c.name, "dtype": c.dtype, "role": str(c.role)} for c in facts.features.columns]
        ),
        "unused columns": records_table([{"column": name, "why": why} for name, why in facts.unused_columns.items()]),
        **({"categories": records_table(encodings)} if encodings else {}),
        **({"fitted on training rows": records_table(shown_fits)} if fitted else {}),
        **({"training rows dropped as outliers": records_table(shown_drops)} if dropped else {}),
        **({"rows to predict have": ", ".join(facts.intake.required)} if facts.intake is not None else {}),
        **_made(facts),
        MLFLOW_RUN: tracked.run_id,
        "where to look": dg.MetadataValue.url(tracked.url),
    }
    return shown | ({"exported to": exported} if exported else {})
