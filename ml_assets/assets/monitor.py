"""The frame of the assets that judge the current champion on the newest rows: drift, performance, regression."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.markdown import escaped
from assay.promotion.champion import CurrentChampion
from assay.promotion.decision import NO_CHAMPION
from assay.specs import PipelineSpec
from assay.specs.base import Spec
from ml_assets.assets.metadata import warning_check
from ml_assets.pipeline.asset import Stage, own_input, pipeline_asset
from ml_assets.pipeline.automation import when_rows_passed
from ml_assets.pipeline.current_champion import current_champion, earlier_reports
from ml_assets.pipeline.partitions import check_of_partitions
from ml_assets.pipeline.run_context import asset_key, partition_of
from ml_assets.pipeline.verified_inputs import require_receipt
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.store import ArtifactStore
from resources.mlflow.registry import MlflowModelRegistry
from resources.report_site import ReportSite

Report = TypeVar("Report", bound=Spec)
State: TypeAlias = tuple[bool, str]
"""Whether a check passes, and the sentence about it."""
NOT_JUDGED: State = (True, f"not judged: {NO_CHAMPION}")


@dataclass(frozen=True, slots=True)
class Window:
    """The rows to judge, and what they are judged against."""

    context: dg.AssetExecutionContext
    dataset: ValidatedDataset
    champion: CurrentChampion
    manager: ArtifactIOManager
    registry: MlflowModelRegistry
    spec: PipelineSpec
    site: ReportSite
    links: dict[str, str] = field(default_factory=dict)
    """Addresses of pages about this window, by name; those that the evaluation publishes are added to it."""

    @property
    def artifacts(self) -> ArtifactStore:
        """The store of the rows and reports."""
        return self.manager.artifacts()

    @property
    def partition(self) -> str:
        """Partition key; empty without partitions."""
        return partition_of(self.context) or ""

    def earlier(self, kind: type[Report], most: int) -> list[Report]:
        """Return the asset's reports of the windows before, oldest first."""
        return earlier_reports(self.context, self.artifacts, kind, most)


@dataclass(frozen=True, slots=True)
class Monitor(Generic[Report]):
    """What one of the assets judges and shows.

    Attributes:
        description: of the asset.
        checks: descriptions of its checks by name; each only warns.
        evaluate: makes the report of a window.
        metadata: shows a report.
        states: the state of each check, by name.
        events: what follows from a report, recorded in its run.
    """

    description: str
    checks: Callable[[Stage], Mapping[str, str]]
    evaluate: Callable[[Window], Report]
    metadata: Callable[[Report], dict[str, Any]]
    states: Callable[[Report, Stage], Mapping[str, State]]
    events: Callable[[Window, Report], Iterable[dg.AssetObservation | dg.AssetMaterialization]] = lambda *_: ()


def build_monitor(spec: PipelineSpec, stage: Stage, monitor: Monitor[Report]) -> dg.AssetsDefinition:
    """Return the asset of a monitor with its checks; before the first champion a condition's run makes no report."""
    asset, checks = asset_key(spec, stage.name), monitor.checks(stage)

    @pipeline_asset(
        spec,
        stage,
        description=monitor.description,
        ins={"validated_dataset": own_input(spec, "validated_dataset")},
        checks=[check_of_partitions(spec, name, asset, description=text) for name, text in checks.items()],
        automation_condition=when_rows_passed(spec),
        value=inspect.signature(monitor.evaluate).return_annotation,
        output_required=False,
    )
    def monitoring_report(
        context: dg.AssetExecutionContext,
        validated_dataset: ValidatedDataset,
        run_spec: PipelineSpec,
        model_registry: MlflowModelRegistry,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
        report_site: dg.ResourceParam[ReportSite],
    ) -> Iterator[dg.Output[Any] | dg.AssetCheckResult]:
        require_receipt(validated_dataset, run_spec, partition_of(context))
        champion = current_champion(context, model_registry, run_spec)
        if champion is None:
            yield from warnings_of(dict.fromkeys(checks, NOT_JUDGED))
            return
        site = report_site.of(run_spec.space)
        window = Window(context, validated_dataset, champion, artifact_io_manager, model_registry, run_spec, site)
        report = monitor.evaluate(window)
        for event in monitor.events(window, report):
            context.log_event(event)
        links = {**window.links, "over time": site.history(run_spec.name)}
        shown = {name: dg.MetadataValue.url(address) for name, address in links.items()}
        yield dg.Output(report, metadata=shown | monitor.metadata(report))
        yield from warnings_of(monitor.states(report, stage))

    return monitoring_report


def warnings_of(states: Mapping[str, State]) -> Iterator[dg.AssetCheckResult]:
    """Yield the results of checks that warn, by their names."""
    for name, (passed, sentence) in states.items():
        yield warning_check(name, escaped(sentence), passed=passed)
