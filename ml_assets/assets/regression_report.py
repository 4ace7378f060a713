"""`regression_report`: the champion against the one before it on the newest rows, and what follows if it is worse."""

from collections.abc import Iterator

import dagster as dg
import pyarrow as pa

from assay.data.dataset import ValidatedDataset
from assay.learning.evaluation.bootstrap import units_of
from assay.learning.splitting import labelled_rows
from assay.markdown import escaped
from assay.monitoring.regression import RegressionReport, evaluate_regression
from assay.promotion.champion import ChampionChange, CurrentChampion
from assay.promotion.decision import NO_CHAMPION
from assay.promotion.people import rollback_command
from assay.specs import PipelineSpec
from ml_assets.assets.champion_model import champion_events
from ml_assets.assets.metadata import warning_check
from ml_assets.pipeline.asset import Stage, own_input, pipeline_asset
from ml_assets.pipeline.automation import when_rows_passed
from ml_assets.pipeline.current_champion import current_champion, earlier_reports
from ml_assets.pipeline.partitions import check_of_partitions
from ml_assets.pipeline.run_context import asset_key, partition_of
from ml_assets.pipeline.verified_inputs import require_receipt
from resources.artifacts.io_manager import ArtifactIOManager
from resources.mlflow.people import Request, roll_back
from resources.mlflow.registry import MlflowModelRegistry

_CHECK = "champion_not_regressed"
_WINDOWS = 12
"""How many earlier windows say whether this one is the first of a regression."""


def build_regression_report(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/regression_report` with its check."""
    key = asset_key(spec, stage.name)

    @pipeline_asset(
        spec,
        stage,
        description="The champion on the newest rows, compared with the champion that it replaced.",
        ins={"validated_dataset": own_input(spec, "validated_dataset")},
        checks=[
            check_of_partitions(
                spec, _CHECK, key, description="The champion is no worse than the champion that it replaced."
            )
        ],
        automation_condition=when_rows_passed(spec),
        output_required=False,
    )
    def regression_report(
        context: dg.AssetExecutionContext,
        validated_dataset: ValidatedDataset,
        run_spec: PipelineSpec,
        model_registry: MlflowModelRegistry,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    ) -> Iterator[dg.Output[RegressionReport] | dg.AssetCheckResult]:
        require_receipt(validated_dataset, run_spec, partition_of(context))
        champion = current_champion(context, model_registry, run_spec)
        if champion is None:
            nothing = RegressionReport(pipeline=run_spec.name, partition="", champion_version="", reason=NO_CHAMPION)
            yield _result(nothing)
            return
        earlier = earlier_reports(context, artifact_io_manager.artifacts(), RegressionReport, _WINDOWS)
        report = _report(context, champion, validated_dataset, model_registry, earlier, run_spec)
        if report.regression_start:
            answer = _answered(context, report, model_registry, run_spec)
            for event in () if run_spec.space.experiment else champion_events(run_spec, answer):
                context.log_event(event)
        yield dg.Output(report, metadata={"finding": report.reason, "regression": report.regressed})
        yield _result(report)

    return regression_report


def _report(
    context: dg.AssetExecutionContext,
    champion: CurrentChampion,
    dataset: ValidatedDataset,
    registry: MlflowModelRegistry,
    earlier: list[RegressionReport],
    spec: PipelineSpec,
) -> RegressionReport:
    partition = partition_of(context)
    former = registry.former_champion(spec.registered_name)
    rows = None if former is None else _rows_new_to_both(champion, former, dataset, partition, spec)
    if former is None or rows is None or rows.num_rows < spec.promotion.min_rows:
        return RegressionReport(
            pipeline=spec.name,
            partition=partition or "",
            champion_version=champion.version,
            reason=f"not compared: {_why_not(former, rows)}",
        )
    labelled = [labelled_rows(rows, each.model.manifest.features, spec) for each in (champion, former)]
    return evaluate_regression(
        (champion.version, champion.model),
        (former.version, former.model),
        (labelled[0], labelled[1]),
        units_of(rows, spec),
        earlier,
        spec,
        partition=partition or "",
    )


def _rows_new_to_both(
    champion: CurrentChampion,
    former: CurrentChampion,
    dataset: ValidatedDataset,
    partition: str | None,
    spec: PipelineSpec,
) -> pa.Table | None:
    """Return the rows that neither learned from; None where that is not known."""
    rows = champion.unlearned(dataset.table, partition, spec)
    return None if rows is None else former.unlearned(rows, partition, spec)


def _why_not(former: CurrentChampion | None, rows: pa.Table | None) -> str:
    if former is None:
        return "there was no champion before, or it was chosen by a person"
    if rows is None:
        return "it is not known which rows the two learned from"
    return f"{rows.num_rows} rows are new to both, fewer than promotion.min_rows"


def _answered(
    context: dg.AssetExecutionContext, report: RegressionReport, registry: MlflowModelRegistry, spec: PipelineSpec
) -> ChampionChange:
    """Roll back, or propose it, by `promotion.on_regression`; return what happened."""
    reason = f"regression{f' on {report.partition}' if report.partition else ''}: {report.reason}"
    name, champion, former = spec.registered_name, report.champion_version, report.former_version
    if spec.promotion.on_regression != "rollback":
        return ChampionChange(
            registered_name=name,
            outcome="rollback_proposed",
            version=champion,
            previous_version=None,
            proposed_version=former,
            reason=reason,
        )
    request = Request(by="regression_report", reason=reason, run_id=context.run.run_id, pipeline=spec.name)
    roll_back(registry, name, former, request)
    return ChampionChange(
        registered_name=name, outcome="rolled_back", version=former, previous_version=champion, reason=reason
    )


def _result(report: RegressionReport) -> dg.AssetCheckResult:
    remedy = f"; {rollback_command(report.pipeline, report.former_version)}" if report.regressed else ""
    return warning_check(_CHECK, escaped(f"{report.reason}{remedy}"), passed=not report.regressed)
