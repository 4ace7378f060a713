"""From a spec to the Dagster definitions of its pipeline."""

from collections.abc import Sequence

import dagster as dg

from assay.specs import BrokenPipeline, PipelineSpec
from assay.specs.loading import FiledPipeline, broken_pipeline
from ml_assets.dagster_internals import AssetJob
from ml_assets.pipeline.asset import Phase, Stage
from ml_assets.pipeline.automation import (
    champion_changes_of,
    with_new_rows_of_joined,
    with_new_rows_of_source,
    with_retraining,
)
from ml_assets.pipeline.jobs import Trigger, ingest_job, retrain_job, retrain_schedule
from ml_assets.pipeline.joined_data import joined_data_sensors
from ml_assets.pipeline.logged_days import prediction_log_sensor
from ml_assets.pipeline.new_data import new_data_sensor
from ml_assets.stages import STAGES, names_in, training_checks
from resources.artifacts.logged_days import PREDICTION_LOG

TRIGGERS = (
    Trigger("new_data", lambda spec: spec.automation.scans_source and spec.dataset.reference is None, new_data_sensor),
    Trigger("joined_data", lambda spec: spec.automation.watches_joined, joined_data_sensors),
    Trigger("schedule", lambda spec: spec.automation.schedule is not None, retrain_schedule),
)
"""Alarms, and new rows of a source that is an asset, start no job: conditions request the assets."""


def pipeline_definitions(
    spec: PipelineSpec,
    stages: Sequence[Stage] = STAGES,
    triggers: Sequence[Trigger] = TRIGGERS,
    *,
    every_job: bool = True,
) -> dg.Definitions:
    """Return the assets and jobs of a pipeline, and sensors and schedules where the spec asks for automation.

    Args:
        spec: the pipeline.
        stages: the assets that there can be.
        triggers: what can start jobs.
        every_job: whether there is a job for retraining that nothing starts by itself.
    """
    retrain, ingest = _jobs(spec, stages, every_job=every_job)
    started = {each.name: ingest if each.name in spec.automation.ingest_on else retrain for each in triggers}
    built = [each.build(spec, job) for each in triggers if (job := started[each.name]) and each.wanted(spec)]
    starters = [one for each in built for one in (each if isinstance(each, tuple) else (each,))]
    if any(stage.name == PREDICTION_LOG and stage.wanted(spec) for stage in stages):
        starters.append(prediction_log_sensor(spec))
    return dg.Definitions(
        assets=pipeline_assets(spec, stages),
        jobs=[job for job in (retrain, ingest) if job is not None],
        sensors=[each for each in starters if isinstance(each, dg.SensorDefinition)],
        schedules=[each for each in starters if isinstance(each, dg.ScheduleDefinition)],
    )


def usable_definitions(
    pipelines: Sequence[FiledPipeline], *, every_job: bool
) -> tuple[dict[str, dg.Definitions], tuple[BrokenPipeline, ...]]:
    """Return the definitions of each pipeline by its name, and the pipelines that Dagster refuses."""
    built: dict[str, dg.Definitions] = {}
    broken: list[BrokenPipeline] = []
    for path, spec in pipelines:
        try:
            built[spec.name] = pipeline_definitions(spec, every_job=every_job)
        except Exception as error:  # noqa: BLE001 - shown as this pipeline's error, so that the others live
            broken.append(broken_pipeline(path, error))
    return built, tuple(broken)


def broken_pipeline_asset(broken: BrokenPipeline) -> dg.AssetsDefinition:
    """Return the asset `<file's name>/broken_pipeline`, which describes the error, and raises it when made."""
    text = str(broken.error).replace("```", "'''")  # a value of the file may not end the block

    @dg.asset(
        key=[broken.name, "broken_pipeline"],
        group_name=broken.name,
        description=f"This pipeline cannot be used; the others can.\n\n```\n{text}\n```",
        tags={"pipeline": broken.name},
        kinds={"yaml"},
        metadata={"file": dg.MetadataValue.path(str(broken.path)), "error": broken.error.code},
    )
    def broken_asset() -> None:
        raise broken.error

    return broken_asset


def pipeline_assets(spec: PipelineSpec, stages: Sequence[Stage] = STAGES) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Return the assets that a pipeline has of some stages."""
    built = [stage.build(spec, stage) for stage in stages if stage.wanted(spec)]
    conditioned = with_retraining(
        spec, built, names_in(Phase.LEARNING, stages=stages, spec=spec), training_checks(stages)
    )
    made = (Phase.INGESTION, Phase.LEARNING) if "new_data" in spec.automation.retrain_on else (Phase.INGESTION,)
    conditioned = with_new_rows_of_source(spec, conditioned, names_in(*made, stages=stages, spec=spec))
    made = (Phase.INGESTION, Phase.LEARNING) if "joined_data" in spec.automation.retrain_on else (Phase.INGESTION,)
    conditioned = with_new_rows_of_joined(spec, conditioned, names_in(*made, stages=stages, spec=spec))
    return [*conditioned, *([champion_changes_of(spec)] if spec.scoring else [])]


def _jobs(spec: PipelineSpec, stages: Sequence[Stage], *, every_job: bool) -> tuple[AssetJob | None, AssetJob | None]:
    """Return the retraining and the ingestion job; None where a pipeline does not have it."""
    started = spec.automation.retrain_on or spec.automation.schedule
    ingested = names_in(Phase.INGESTION, stages=stages, spec=spec)
    retrained = (*ingested, *names_in(Phase.LEARNING, stages=stages, spec=spec))
    return (
        retrain_job(spec, retrained) if every_job or started else None,
        ingest_job(spec, ingested) if spec.automation.ingest_on else None,
    )
