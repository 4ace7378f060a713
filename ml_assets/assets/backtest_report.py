"""`backtest_report`: what the promotion policy would have made of the past.

Does not belong here: the replay.
"""

from collections.abc import Iterator

import dagster as dg

from assay.backtesting.curve import walk_forward_plot
from assay.backtesting.report import BacktestReport
from assay.backtesting.walk_forward import replay
from assay.specs import PipelineSpec
from ml_assets.past_models import past_models
from ml_assets.pipeline_asset import pipeline_asset
from ml_assets.presentation.backtest import backtest_metadata, check_of_future
from ml_assets.run_context import asset_key
from ml_assets.run_parameters import RunParameters
from resources.artifact_io_manager import ArtifactIOManager


def build_backtest_report(spec: PipelineSpec) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/backtest_report` with its check."""

    @pipeline_asset(
        spec,
        "backtest_report",
        stage="backtest",
        kinds={"scikitlearn"},
        description="Stale model, retrained model and champion on every partition that was materialised.",
        reads_all=("validated_dataset", "trained_model", "evaluation_report"),
        checks=[
            dg.AssetCheckSpec(
                "no_row_after_as_of",
                asset=asset_key(spec, "backtest_report"),
                blocking=True,
                description="No model learned from a row of its as-of time or later.",
            )
        ],
    )
    def backtest_report(
        context: dg.AssetExecutionContext,
        run_parameters: RunParameters,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    ) -> Iterator[dg.Output[BacktestReport] | dg.AssetCheckResult]:
        run = run_parameters.applied_to(spec, context)
        report = replay(past_models(context, run, artifact_io_manager.artifacts()), run)
        yield dg.Output(report, metadata=backtest_metadata(report, walk_forward_plot(report)))
        yield check_of_future(report)

    return backtest_report
