"""From a spec to the Dagster definitions of its pipeline.

Does not belong here: what an asset does (`assets`), which resources serve it (`resource_wiring`).
"""

import dagster as dg

from assay.specs import PipelineSpec
from ml_assets.assets.backtest_report import build_backtest_report
from ml_assets.assets.batch_predictions import build_batch_predictions
from ml_assets.assets.best_hyperparameters import build_best_hyperparameters
from ml_assets.assets.champion_model import build_champion_model
from ml_assets.assets.drift_report import build_drift_report
from ml_assets.assets.evaluation_report import build_evaluation_report
from ml_assets.assets.performance_report import build_performance_report
from ml_assets.assets.raw_dataset import build_raw_dataset
from ml_assets.assets.trained_model import build_trained_model
from ml_assets.assets.validated_dataset import build_validated_dataset
from ml_assets.pipeline.automation import rollbacks_of, with_retraining
from ml_assets.pipeline.jobs import ingest_job, retrain_job, retrain_schedule
from ml_assets.pipeline.new_data import new_data_sensor
from ml_assets.pipeline.partitions import window_mapping

_BUILDERS = (
    build_raw_dataset,
    build_validated_dataset,
    build_best_hyperparameters,
    build_trained_model,
    build_evaluation_report,
    build_champion_model,
)


def pipeline_assets(spec: PipelineSpec) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Return the assets of one pipeline: from source to promotion, and what is asked for beyond."""
    monitoring = spec.monitoring
    beyond = (
        (build_backtest_report, window_mapping(spec) is not None),
        (build_batch_predictions, spec.scoring is not None),
        (build_drift_report, monitoring is not None and monitoring.drift is not None),
        (build_performance_report, monitoring is not None and monitoring.performance is not None),
    )
    built = [build(spec) for build in (*_BUILDERS, *(build for build, wanted in beyond if wanted))]
    return [*with_retraining(spec, built), *([rollbacks_of(spec)] if spec.scoring else [])]


def pipeline_definitions(spec: PipelineSpec) -> dg.Definitions:
    """Return assets, and jobs, sensor and schedule where the spec asks for automation."""
    automation = spec.automation
    retrain = retrain_job(spec) if automation.retrain_on or automation.schedule else None
    ingest = ingest_job(spec) if automation.ingest_on else None
    on_arrival = ingest or retrain
    return dg.Definitions(
        assets=pipeline_assets(spec),
        jobs=[job for job in (retrain, ingest) if job is not None],
        sensors=[new_data_sensor(spec, on_arrival)] if on_arrival and automation.looks_at_source else [],
        schedules=[retrain_schedule(spec, retrain)] if retrain and automation.schedule else [],
    )
