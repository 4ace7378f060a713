"""Every asset of a pipeline, declared once: definitions, code versions, jobs, conditions and the demo derive from it.

To add an asset, write its module in `ml_assets.assets` and its entry here. The specs do not know the platform, so that
`assay.specs.operations` lists the names that pipeline files may use: of assets in `execution.timeout_minutes`, and of
alarms in `automation.retrain_on`.
"""

from collections.abc import Sequence

from assay.specs import PipelineSpec
from ml_assets.assets.backtest_report import build_backtest_report
from ml_assets.assets.batch_predictions import build_batch_predictions
from ml_assets.assets.best_hyperparameters import build_best_hyperparameters
from ml_assets.assets.champion_model import build_champion_model
from ml_assets.assets.evaluation_report import build_evaluation_report
from ml_assets.assets.feature_set import build_feature_set
from ml_assets.assets.live_performance import build_live_performance
from ml_assets.assets.monitoring_reports import build_monitoring_report
from ml_assets.assets.prediction_log import build_prediction_log
from ml_assets.assets.raw_dataset import build_raw_dataset
from ml_assets.assets.regression_report import build_regression_report
from ml_assets.assets.served_drift import build_served_drift
from ml_assets.assets.served_labels import build_served_labels
from ml_assets.assets.trained_model import build_trained_model
from ml_assets.assets.validated_dataset import build_validated_dataset
from ml_assets.pipeline.asset import Phase, Stage
from ml_assets.pipeline.code_version import FEATURES, FITTED, OWN_CODE, RAW_RULES, ROWS_DROPPED, RULES, SENTINEL
from ml_assets.pipeline.partitions import window_mapping

STAGES = (
    Stage(
        "raw_dataset",
        build_raw_dataset,
        tag="ingestion",
        kinds=frozenset({"parquet"}),
        spec_parts=("dataset",),
        verdict_parts=(RAW_RULES, OWN_CODE),
        phase=Phase.INGESTION,
    ),
    Stage(
        "feature_set",
        build_feature_set,
        tag="features",
        kinds=frozenset({"parquet", "duckdb"}),
        spec_parts=("task", "dataset", FEATURES),
        phase=Phase.INGESTION,
        wanted=lambda spec: spec.features is not None,
    ),
    Stage(
        "validated_dataset",
        build_validated_dataset,
        tag="validation",
        kinds=frozenset({"parquet", "pandera"}),
        spec_parts=("task", "dataset", ROWS_DROPPED),
        verdict_parts=(RULES, OWN_CODE),
        phase=Phase.INGESTION,
    ),
    Stage(
        "best_hyperparameters",
        build_best_hyperparameters,
        tag="tuning",
        kinds=frozenset({"optuna"}),
        spec_parts=("task", "dataset", FITTED, "split", "preprocessing", "model", "tuning", "training", "evaluation"),
        phase=Phase.LEARNING,
        pooled=True,
    ),
    Stage(
        "trained_model",
        build_trained_model,
        tag="training",
        kinds=frozenset({"scikitlearn", "mlflow"}),
        spec_parts=("task", "dataset", FITTED, "split", "preprocessing", "model", "training"),
        phase=Phase.LEARNING,
        pooled=True,
    ),
    Stage(
        "evaluation_report",
        build_evaluation_report,
        tag="evaluation",
        kinds=frozenset({"scikitlearn"}),
        spec_parts=("task", "dataset", SENTINEL, "split", "evaluation"),
        phase=Phase.LEARNING,
    ),
    Stage(
        "champion_model",
        build_champion_model,
        tag="promotion",
        kinds=frozenset({"mlflow"}),
        spec_parts=("task", "dataset", "split", "model", "evaluation", "promotion"),
        phase=Phase.LEARNING,
    ),
    Stage(
        "backtest_report",
        build_backtest_report,
        tag="backtest",
        kinds=frozenset({"scikitlearn"}),
        spec_parts=("task", "dataset", "split", "evaluation", "promotion", "monitoring", "automation"),
        wanted=lambda spec: window_mapping(spec) is not None,
    ),
    Stage(
        "batch_predictions",
        build_batch_predictions,
        tag="scoring",
        kinds=frozenset({"parquet"}),
        spec_parts=("task", "dataset", FEATURES, "model", "scoring"),
        wanted=lambda spec: spec.scoring is not None,
    ),
    Stage(
        "drift_report",
        build_monitoring_report,
        tag="monitoring",
        kinds=frozenset({"pandas"}),
        spec_parts=("task", "dataset", "split", "model", "monitoring"),
        alarm="drift",
        wanted=lambda spec: spec.monitoring is not None and spec.monitoring.drift is not None,
    ),
    Stage(
        "performance_report",
        build_monitoring_report,
        tag="monitoring",
        kinds=frozenset({"scikitlearn"}),
        spec_parts=("task", "dataset", "split", "model", "evaluation", "monitoring"),
        alarm="performance",
        wanted=lambda spec: spec.monitoring is not None and spec.monitoring.performance is not None,
    ),
    Stage(
        "regression_report",
        build_regression_report,
        tag="monitoring",
        kinds=frozenset({"scikitlearn"}),
        spec_parts=("task", "dataset", "model", "evaluation", "promotion"),
        wanted=lambda spec: spec.promotion.on_regression != "none",
    ),
    Stage(
        "prediction_log",
        build_prediction_log,
        tag="serving",
        kinds=frozenset({"parquet"}),
        spec_parts=("dataset", "serving"),
        wanted=lambda spec: spec.serving is not None and spec.serving.log is not None,
    ),
    Stage(
        "served_labels",
        build_served_labels,
        tag="serving",
        kinds=frozenset({"parquet"}),
        spec_parts=("task", "dataset", "serving"),
        wanted=lambda spec: spec.serving is not None and spec.serving.labels is not None,
    ),
    Stage(
        "live_performance",
        build_live_performance,
        tag="serving",
        kinds=frozenset({"scikitlearn"}),
        spec_parts=("task", "dataset", "split", "model", "evaluation", "serving"),
        wanted=lambda spec: spec.serving is not None and spec.serving.labels is not None,
    ),
    Stage(
        "served_drift",
        build_served_drift,
        tag="serving",
        kinds=frozenset({"scikitlearn"}),
        spec_parts=("task", "dataset", "split", "model", "evaluation", "monitoring", "serving"),
        wanted=lambda spec: spec.serving is not None and spec.serving.log is not None,
    ),
)


def alarm_checks(stages: Sequence[Stage] = STAGES) -> dict[str, tuple[str, str]]:
    """Return by the name of each alarm its asset, and the check that fails where the alarm begins."""
    return {stage.alarm: (stage.name, stage.alarm_check) for stage in stages if stage.alarm}


def training_checks(stages: Sequence[Stage] = STAGES) -> dict[str, tuple[str, str]]:
    """Return by the name of each alarm its asset, and the check that fails where a training answers the alarm."""
    return {stage.alarm: (stage.name, stage.training_check) for stage in stages if stage.alarm}


def names_in(*phases: Phase, stages: Sequence[Stage] = STAGES, spec: PipelineSpec | None = None) -> tuple[str, ...]:
    """Return the names of the assets of some phases that a pipeline has, upstream first; that every one has without."""
    wanted = (stage for stage in stages if stage.phase in phases and (stage.wanted(spec) if spec else stage.is_general))
    return tuple(stage.name for stage in wanted)
