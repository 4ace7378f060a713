"""The deployment's champions for the shell's commands, under the entry points `assay.champions`."""

import logging

import dagster as dg

from assay.promotion.champion import ChampionEntry
from assay.promotion.history import ChampionHistory
from assay.specs import PipelineSpec
from assay.specs.pipeline_names import by_name, named_pipeline
from ml_assets.assets.champion_model import champion_events
from ml_assets.champion_jobs import change_of
from ml_assets.commands.deployment import Deployment, operator
from resources.mlflow.people import Request, approve, reject, roll_back
from resources.mlflow.registry import MlflowModelRegistry
from resources.settings import has_dagster_home

_LOG = logging.getLogger("assay.shell")


class DeploymentChampions:
    """Implements `assay.shell.champions.Champions` by the deployment's settings: the same stores as Dagster's jobs."""

    def __init__(self) -> None:
        deployment = Deployment()
        self._where = deployment.where
        # names of metrics and columns do not matter here: a roll-back works while they are wrong
        self._specs = by_name(deployment.pipelines().specs)
        self._registry: MlflowModelRegistry = deployment.resources["model_registry"]

    def history(self, pipeline: str) -> ChampionHistory:
        """Read the journal of the pipeline's registered model."""
        return self._registry.history(self._named(pipeline).registered_name)

    def roll_back(self, pipeline: str, version: str | None, reason: str) -> ChampionEntry:
        """Roll back as `champion_rollback_job` does."""
        spec = self._named(pipeline)
        entry = roll_back(self._registry, spec.registered_name, version, _request(spec, reason))
        return self._reported(spec, entry)

    def approve(self, pipeline: str, version: str, reason: str) -> ChampionEntry:
        """Approve as `champion_approval_job` does."""
        spec = self._named(pipeline)
        return self._reported(spec, approve(self._registry, spec.registered_name, version, _request(spec, reason)))

    def reject(self, pipeline: str, version: str, reason: str) -> ChampionEntry:
        """Reject as `champion_approval_job` does."""
        spec = self._named(pipeline)
        return self._reported(spec, reject(self._registry, spec.registered_name, version, _request(spec, reason)))

    def _named(self, pipeline: str) -> PipelineSpec:
        return named_pipeline(pipeline, self._specs, where=self._where)

    def _reported(self, spec: PipelineSpec, entry: ChampionEntry) -> ChampionEntry:
        """Record the change in Dagster's event log, where this shell has one: predictions follow."""
        if not has_dagster_home():
            _LOG.info("DAGSTER_HOME is not set: Dagster's pages and predictions do not follow before their next run")
            return entry
        current = self._registry.journal(spec.registered_name).current()
        try:
            with dg.DagsterInstance.get() as instance:
                for event in champion_events(spec, change_of(entry, current.version if current else None)):
                    instance.report_runless_asset_event(event)
        except Exception as error:  # noqa: BLE001 - the champion is changed already
            _LOG.warning("the change is made, but Dagster's event log did not take it (%s)", type(error).__name__)
        return entry


def _request(spec: PipelineSpec, reason: str) -> Request:
    return Request(by=operator(), reason=reason, pipeline=spec.name)
