"""Maintenance jobs: the janitor, and the restore of an earlier version or champion."""

from collections.abc import Mapping, Sequence

import dagster as dg
from pydantic import Field

from assay.errors import SpecError, did_you_mean
from assay.promotion.champion import ChampionChange
from assay.scratch import remove_abandoned
from assay.specs import PipelineSpec
from ml_assets.assets.champion_model import CHAMPION_ASSET, change_metadata
from ml_assets.pipeline.automation import rollbacks_key
from resources.artifacts.io_manager import ArtifactIOManager
from resources.mlflow.leftovers import Leftovers, OwnerState
from resources.mlflow.registry import MlflowModelRegistry
from resources.mlflow.tracker import MlflowTracker
from resources.quarantine import Quarantine
from resources.run_policy import RunPolicy
from resources.store.commit_log import collect_garbage, restore

_HOUR = 3600.0
_NIGHTLY = "17 3 * * *"


class JanitorConfig(dg.Config):
    """What may be removed."""

    older_than_hours: float = Field(
        default=48.0, ge=1.0, description="Younger ones stay, since their commit or promotion may follow."
    )


class RestoreConfig(dg.Config):
    """The version to restore."""

    asset: str = Field(description="Asset key, e.g. flight_delays/validated_dataset.")
    version: int = Field(ge=1, description="Number of the version, from the metadata of its materialization.")
    partition: str | None = Field(default=None, description="Partition key; unset without partitions.")


class RollbackConfig(dg.Config):
    """The champion to restore."""

    pipeline: str = Field(description="The pipeline whose champion is replaced, or its registered model.")
    version: str | None = Field(
        default=None, description="A version of its registered model; the previous champion unless given."
    )
    withdraw: bool = Field(
        default=False,
        description="No champion afterwards: the next model is promoted without a comparison. Works where the "
        "champion's version or files are gone, and where the alias is on a version of somebody else.",
    )
    reason: str = Field(default="", description="For notifications and the history of champion_model.")


def maintenance_jobs(specs: Sequence[PipelineSpec]) -> list[dg.JobDefinition]:
    """Return `artifact_janitor_job`, `artifact_restore_job` and `champion_rollback_job` for some pipelines."""
    by_model = {spec.registered_name: spec for spec in specs}
    return [
        artifact_janitor_job,
        artifact_restore_job,
        _rollback_job(by_model | {spec.name: spec for spec in specs}),
    ]


@dg.op(description="Remove data objects of attempts without a commit; history stays.")
def remove_leftovers(
    context: dg.OpExecutionContext,
    config: JanitorConfig,
    artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    run_policy: dg.ResourceParam[RunPolicy],
) -> int:
    """Remove objects that no commit names; returns their number."""
    run_policy.require_config(context.run.run_config, where=context.job_name)
    store = artifact_io_manager.artifacts().store
    removed = collect_garbage(store, older_than_seconds=config.older_than_hours * _HOUR)
    context.log.info("removed %d objects that no commit names", len(removed))
    abandoned = remove_abandoned()
    context.log.info("removed %d temporary folders of processes that were killed", len(abandoned))
    return len(removed)


@dg.op(description="Remove copies of refused files by ASSAY_QUARANTINE_DAYS and ASSAY_QUARANTINE_MEGABYTES.")
def expire_quarantine(
    context: dg.OpExecutionContext, quarantine: Quarantine, run_policy: dg.ResourceParam[RunPolicy]
) -> int:
    """Remove copies beyond the quarantine's bounds; returns their number."""
    run_policy.require_config(context.run.run_config, where=context.job_name)
    removed = quarantine.expire()
    context.log.info("removed %d copies of refused files%s", len(removed), "".join(f"\n{one}" for one in removed))
    return len(removed)


@dg.op(description="Close what killed runs left in MLflow, and mark versions that nobody promoted.")
def close_tracking_leftovers(
    context: dg.OpExecutionContext,
    config: JanitorConfig,
    experiment_tracker: MlflowTracker,
    model_registry: MlflowModelRegistry,
    run_policy: dg.ResourceParam[RunPolicy],
) -> int:
    """Close runs and logged models of ended Dagster runs, mark unpromoted versions; returns their number."""
    run_policy.require_config(context.run.run_config, where=context.job_name)
    leftovers = Leftovers(
        tracking_uri=experiment_tracker.tracking_uri,
        experiment_prefix=experiment_tracker.experiment_prefix,
        owner=lambda run_id: _state_of(context.instance, run_id),
        older_than_seconds=config.older_than_hours * _HOUR,
    )
    closed = leftovers.close_runs() + leftovers.mark_versions(model_registry.object_store.open())
    context.log.info("closed %d leftovers in MLflow%s", len(closed), "".join(f"\n{one}" for one in closed))
    return len(closed)


def _state_of(instance: dg.DagsterInstance, run_id: str) -> OwnerState:
    run = instance.get_run_by_id(run_id)
    if run is None:
        return "unknown"
    return "ended" if run.is_finished else "alive"


@dg.op(description="Make an earlier version of an asset the newest, by a new commit that names its objects.")
def restore_version(
    context: dg.OpExecutionContext,
    config: RestoreConfig,
    artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    run_policy: dg.ResourceParam[RunPolicy],
) -> int:
    """Restore a version; returns the number of the new commit."""
    run_policy.require_config(context.run.run_config, where=context.job_name)
    log = artifact_io_manager.artifacts().log
    asset = tuple(config.asset.split("/"))
    commit = restore(log, asset, config.partition, config.version, attempt_id=f"{context.run.run_id}-restore")
    context.log.info("version %d of %s is now version %d", config.version, config.asset, commit.number)
    return commit.number


@dg.job(description="Remove what no commit names, old copies of refused files, and what killed runs left in MLflow.")
def artifact_janitor_job() -> None:
    """Three steps: `remove_leftovers`, `expire_quarantine` and `close_tracking_leftovers`."""
    remove_leftovers()
    expire_quarantine()
    close_tracking_leftovers()


def janitor_schedule(*, running: bool) -> dg.ScheduleDefinition:
    """Return the nightly `artifact_janitor_schedule`."""
    status = dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED
    return dg.ScheduleDefinition(
        name="artifact_janitor_schedule", job=artifact_janitor_job, cron_schedule=_NIGHTLY, default_status=status
    )


@dg.job(description="Restore an earlier version of an asset.")
def artifact_restore_job() -> None:
    """One step: `restore_version`."""
    restore_version()


def _rollback_job(specs: Mapping[str, PipelineSpec]) -> dg.JobDefinition:
    @dg.op(description="Make an earlier version champion again, after its files were verified; or none.")
    def roll_back_champion(
        context: dg.OpExecutionContext,
        config: RollbackConfig,
        model_registry: MlflowModelRegistry,
        run_policy: dg.ResourceParam[RunPolicy],
    ) -> str:
        """Replace the champion; returns the version that is champion now, empty for none."""
        run_policy.require_config(context.run.run_config, where=context.job_name)
        spec = _named(config, specs)
        change = _changed_champion(config, spec, model_registry, context.run.run_id)
        # an observation: the asset keeps the record of its last decision, and its page shows both
        key = dg.AssetKey([spec.name, CHAMPION_ASSET])
        context.log_event(dg.AssetObservation(key, metadata=change_metadata(change)))
        if spec.scoring and change.version:
            context.log_event(dg.AssetMaterialization(rollbacks_key(spec.name), metadata=change_metadata(change)))
        return change.version or ""

    @dg.job(description="Restore an earlier champion.")
    def champion_rollback_job() -> None:
        """One step: `roll_back_champion`."""
        roll_back_champion()

    return champion_rollback_job


def _named(config: RollbackConfig, specs: Mapping[str, PipelineSpec]) -> PipelineSpec:
    """Return the pipeline that the config names.

    Raises:
        SpecError: there is none of that name, or the config names a version and withdraws.
    """
    where = "champion_rollback_job, ops.roll_back_champion.config"
    if config.pipeline not in specs:
        raise SpecError(
            "no pipeline or registered model has this name",
            where=where,
            found=repr(config.pipeline) + did_you_mean(config.pipeline, specs),
            expected=", ".join(sorted(specs)),
        )
    if config.withdraw and config.version:
        raise SpecError(
            "version and withdraw exclude each other",
            where=where,
            found=f"version: {config.version}, withdraw: true",
            remedy="leave one of them out",
        )
    return specs[config.pipeline]


def _changed_champion(
    config: RollbackConfig, spec: PipelineSpec, registry: MlflowModelRegistry, run_id: str
) -> ChampionChange:
    name = spec.registered_name
    if config.withdraw:
        entry = registry.withdraw(name, run_id=run_id, reason=config.reason, pipeline=spec.name)
    else:
        entry = registry.roll_back(name, config.version, run_id=run_id, reason=config.reason)
    return ChampionChange(
        registered_name=name,
        outcome="withdrawn" if config.withdraw else "rolled_back",
        version=None if config.withdraw else entry.version,
        previous_version=entry.replaced,
        reason=entry.reason,
    )
