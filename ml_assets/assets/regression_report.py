"""`regression_report`: the champion against the one before it on the newest rows, and what follows if it is worse."""

from collections.abc import Iterable, Mapping

import dagster as dg
import pyarrow as pa

from assay.counting import counted
from assay.data.dataset import ValidatedDataset
from assay.learning.evaluation.bootstrap import units_of
from assay.learning.splitting import labelled_rows
from assay.monitoring.regression import RegressionReport, evaluate_regression
from assay.promotion.champion import ChampionChange, CurrentChampion
from assay.promotion.people import rollback_command
from assay.specs import PipelineSpec
from ml_assets.assets.champion_model import champion_events
from ml_assets.assets.monitor import Monitor, State, Window, build_monitor
from ml_assets.pipeline.asset import Stage
from resources.mlflow.people import Request, roll_back

_CHECK = "champion_not_regressed"
_WINDOWS = 12
"""How many earlier windows say whether this one is the first of a regression."""


def build_regression_report(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/regression_report` with its check."""
    return build_monitor(spec, stage, _MONITOR)


def _report(window: Window) -> RegressionReport:
    champion, spec = window.champion, window.spec
    former = window.registry.former_champion(spec.registered_name)
    rows = None if former is None else _rows_new_to_both(champion, former, window.dataset, window.partition, spec)
    if former is None or rows is None or rows.num_rows < spec.promotion.min_rows:
        return RegressionReport(
            pipeline=spec.name,
            partition=window.partition,
            champion_version=champion.version,
            reason=f"not compared: {_why_not(former, rows)}",
        )
    labelled = [labelled_rows(rows, each.model.manifest.features, spec) for each in (champion, former)]
    return evaluate_regression(
        (champion.version, champion.measured_on(rows, window.partition, spec)),
        (former.version, former.measured_on(rows, window.partition, spec)),
        (labelled[0], labelled[1]),
        units_of(rows, spec),
        window.earlier(RegressionReport, _WINDOWS),
        spec,
        partition=window.partition,
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
    return f"only {counted(rows.num_rows, 'row')} new to both, fewer than promotion.min_rows"


def _events(window: Window, report: RegressionReport) -> Iterable[dg.AssetObservation | dg.AssetMaterialization]:
    if not report.regression_start:
        return ()
    answer = _answered(window, report)
    return () if window.spec.space.experiment else champion_events(window.spec, answer)


def _answered(window: Window, report: RegressionReport) -> ChampionChange:
    """Roll back, or propose it, by `promotion.on_regression`; return what happened."""
    spec, reason = window.spec, f"regression{f' on {report.partition}' if report.partition else ''}: {report.reason}"
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
    request = Request(by="regression_report", reason=reason, run_id=window.context.run.run_id, pipeline=spec.name)
    roll_back(window.registry, name, former, request)
    return ChampionChange(
        registered_name=name, outcome="rolled_back", version=former, previous_version=champion, reason=reason
    )


def _states(report: RegressionReport, _: Stage) -> Mapping[str, State]:
    remedy = f"; {rollback_command(report.pipeline, report.former_version)}" if report.regressed else ""
    return {_CHECK: (not report.regressed, f"{report.reason}{remedy}")}


_MONITOR = Monitor(
    description="The champion on the newest rows, compared with the champion that it replaced.",
    checks=lambda _: {_CHECK: "The champion is no worse than the champion that it replaced."},
    evaluate=_report,
    metadata=lambda report: {"finding": report.reason, "regression": report.regressed},
    states=_states,
    events=_events,
)
