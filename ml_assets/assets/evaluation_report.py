"""`evaluation_report`: the model judged on the holdout.

Does not belong here: metrics and plots themselves.
"""

from collections.abc import Iterator

import dagster as dg

from assay.evaluation.judging import evaluate
from assay.evaluation.plots import plots_for
from assay.evaluation.report import EvaluationReport
from assay.specs import PipelineSpec
from assay.tables.dataset import ValidatedDataset
from assay.training.trained_model import TrainedModel
from ml_assets.gated_window import gated_split, window_input
from ml_assets.partitions import check_of_partitions
from ml_assets.pipeline_asset import own_input, pipeline_asset
from ml_assets.presentation.evaluation import check_of_baseline, check_of_minimum, evaluation_metadata
from ml_assets.run_context import asset_key, partition_of
from ml_assets.run_parameters import RunParameters
from ml_assets.tracking import log_evaluation
from resources.experiment_tracker import MlflowTracker


def build_evaluation_report(spec: PipelineSpec) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/evaluation_report` with its checks."""
    key = asset_key(spec, "evaluation_report")

    @pipeline_asset(
        spec,
        "evaluation_report",
        stage="evaluation",
        kinds={"scikitlearn"},
        description="Metrics on rows the model has never seen, beside a baseline that ignores the features.",
        ins={
            "validated_dataset": window_input(spec),
            "trained_model": own_input(spec, "trained_model"),
        },
        checks=[
            check_of_partitions(
                spec,
                "primary_metric_above_minimum",
                key,
                blocking=True,
                description="Every metric of evaluation.minimum reaches its bound.",
            ),
            check_of_partitions(
                spec,
                "better_than_baseline",
                key,
                description="The primary metric beats a model that ignores the features.",
            ),
        ],
    )
    def evaluation_report(
        context: dg.AssetExecutionContext,
        validated_dataset: dict[str, ValidatedDataset],
        trained_model: TrainedModel,
        run_parameters: RunParameters,
        experiment_tracker: MlflowTracker,
    ) -> Iterator[dg.Output[EvaluationReport] | dg.AssetCheckResult]:
        run = run_parameters.applied_to(spec, context)
        split = gated_split(validated_dataset, run, context)
        report = evaluate(trained_model, split, run, partition=partition_of(context))
        plots = plots_for(trained_model, split, run)
        yield dg.Output(report, metadata=evaluation_metadata(report, plots))
        log_evaluation(experiment_tracker, trained_model, report, plots)
        yield check_of_minimum(report)
        yield check_of_baseline(report)

    return evaluation_report
