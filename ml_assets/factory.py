"""From a spec to the Dagster definitions of its pipeline."""

from collections.abc import Sequence

import dagster as dg

from assay.specs import PipelineSpec
from ml_assets.pipeline.asset import Phase, Stage
from ml_assets.pipeline.automation import rollbacks_of, with_retraining
from ml_assets.pipeline.jobs import ingest_job, retrain_job, retrain_schedule
from ml_assets.pipeline.new_data import new_data_sensor
from ml_assets.stages import STAGES, names_in, stages_of


def pipeline_assets(spec: PipelineSpec, stages: Sequence[Stage] = STAGES) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Return the assets that a pipeline has of some stages."""
    built = [stage.build(spec, stage) for stage in stages_of(spec, stages)]
    conditioned = with_retraining(spec, built, names_in(Phase.LEARNING, stages=stages))
    return [*conditioned, *([rollbacks_of(spec)] if spec.scoring else [])]


def pipeline_definitions(spec: PipelineSpec, stages: Sequence[Stage] = STAGES) -> dg.Definitions:
    """Return assets, and jobs, sensor and schedule where the spec asks for automation."""
    automation = spec.automation
    retrained = names_in(Phase.INGESTION, Phase.LEARNING, stages=stages)
    retrain = retrain_job(spec, retrained) if automation.retrain_on or automation.schedule else None
    ingest = ingest_job(spec, names_in(Phase.INGESTION, stages=stages)) if automation.ingest_on else None
    on_arrival = ingest or retrain
    return dg.Definitions(
        assets=pipeline_assets(spec, stages),
        jobs=[job for job in (retrain, ingest) if job is not None],
        sensors=[new_data_sensor(spec, on_arrival)] if on_arrival and automation.looks_at_source else [],
        schedules=[retrain_schedule(spec, retrain)] if retrain and automation.schedule else [],
    )
