"""Maintenance jobs: the janitor, and the restore of an earlier version."""

from collections.abc import Sequence

import dagster as dg
from pydantic import Field

from assay.errors import SpecError
from assay.scratch import remove_abandoned
from assay.specs import PipelineSpec
from ml_assets.champion_jobs import champion_jobs
from ml_assets.pipeline.guarded_op import guarded_op
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.logged_days import LogRetention
from resources.artifacts.retention import ArtifactRetention, runs_of_models
from resources.champion_journal import journals_in
from resources.mlflow.expiry import TrackedRetention
from resources.mlflow.leftovers import Leftovers, OwnerState
from resources.mlflow.registry import MlflowModelRegistry
from resources.mlflow.spaces import remove_tracked
from resources.mlflow.tracker import MlflowTracker
from resources.quarantine import Quarantine
from resources.store.commit_log import collect_garbage
from resources.store.commit_record import described
from resources.store.expiry import RetentionPolicy, restore_files

_HOUR = 3600.0
# the event log keeps every name; the run's log has them all
_MOST_LISTED = 1000
_NIGHTLY = "17 3 * * *"
_EXPIRING = "versions, runs and logged days"
_NOT_OURS = "this is no production deployment: production's janitor maintains what all spaces have in MLflow"


class JanitorConfig(dg.Config):
    """What may be removed."""

    older_than_hours: float = Field(
        default=48.0, ge=1.0, description="Younger ones stay, since their commit or promotion may follow."
    )


class RetentionConfig(dg.Config):
    """How the retention policy is applied."""

    dry_run: bool = Field(default=False, description="Only list what would be removed.")
    superseded_hours: float = Field(
        default=48.0,
        ge=0.0,
        description="Versions that were replaced later than this stay, since a run may read them; 0 where none runs.",
    )


class RestoreConfig(dg.Config):
    """The version to restore."""

    asset: str = Field(description="Asset key, e.g. flight_delays/validated_dataset.")
    version: int = Field(ge=1, description="Number of the version, from the metadata of its materialization.")
    partition: str | None = Field(default=None, description="Partition key; unset without partitions.")


class SpaceConfig(dg.Config):
    """The space to remove."""

    space: str = Field(description="Its name, from the metadata `space` of what it made, e.g. experiment-3f2a9c1b.")


def maintenance_jobs(specs: Sequence[PipelineSpec]) -> list[dg.JobDefinition]:
    """Return the janitor, the restore, the removal of spaces, and the jobs of the champions of some pipelines."""
    return [artifact_janitor_job, artifact_restore_job, space_removal_job, *champion_jobs(specs)]


@guarded_op(description="Remove data objects of attempts without a commit; history stays.")
def remove_leftovers(
    context: dg.OpExecutionContext,
    config: JanitorConfig,
    artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
) -> int:
    """Remove objects that no commit names, in every space; returns their number."""
    stores, age = artifact_io_manager.object_store.maintained().values(), config.older_than_hours * _HOUR
    removed = [key for store in stores for key in collect_garbage(store, older_than_seconds=age)]
    context.log.info("removed %d objects that no commit names", len(removed))
    abandoned = remove_abandoned()
    context.log.info("removed %d temporary folders of processes that were killed", len(abandoned))
    return len(removed)


@guarded_op(description="Remove copies of refused files by ASSAY_QUARANTINE_DAYS and ASSAY_QUARANTINE_MEGABYTES.")
def expire_quarantine(context: dg.OpExecutionContext, quarantine: Quarantine) -> int:
    """Remove copies beyond the quarantine's bounds; returns their number."""
    removed = quarantine.expire()
    context.log.info("removed %d copies of refused files%s", len(removed), "".join(f"\n{one}" for one in removed))
    return len(removed)


@guarded_op(description="Remove old versions, models, runs and logged rows by ASSAY_RETENTION_DAYS and _VERSIONS.")
def expire_versions(
    context: dg.OpExecutionContext,
    config: RetentionConfig,
    artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    experiment_tracker: MlflowTracker,
    retention: dg.ResourceParam[RetentionPolicy],
) -> int:
    """Remove what the retention policy lets go, or only list it; returns the number of versions, runs and days."""
    if not artifact_io_manager.object_store.space.is_production:
        context.log.info(_NOT_OURS)
        return 0
    if retention.keeps_all:
        context.log.info("neither ASSAY_RETENTION_DAYS nor ASSAY_RETENTION_VERSIONS is set, so everything stays")
        return 0
    stores, grace = [*artifact_io_manager.object_store.maintained().values()], config.superseded_hours * _HOUR
    artifacts = [ArtifactRetention(store, retention, grace) for store in stores]
    logs = [LogRetention(store, retention) for store in stores]
    tracked = TrackedRetention(
        experiment_tracker.tracking_uri, experiment_tracker.experiment_prefix, retention, grace, stores
    )
    commits = [each.beyond() for each in artifacts]
    in_use = [runs_of_models(store, without=gone) for store, gone in zip(stores, commits, strict=True)]
    tracked_going, days = tracked.beyond(set().union(*in_use)), [each.beyond() for each in logs]
    versions = (described(each) for gone in commits for each in gone)
    names = [*versions, *map(str, tracked_going), *(str(each) for gone in days for each in gone)]
    if not config.dry_run:
        for one, gone in zip(artifacts, commits, strict=True):
            one.remove(gone)
        tracked.remove(tracked_going)
        for log, gone_days in zip(logs, days, strict=True):
            log.remove(gone_days)
    done = "would be removed" if config.dry_run else "removed"
    context.log.info("%s: %d %s%s", done, len(names), _EXPIRING, "".join(f"\n{one}" for one in names))
    context.add_output_metadata({_EXPIRING: len(names), done: dg.MetadataValue.json(names[:_MOST_LISTED])})
    return len(names)


@guarded_op(description="Set MLflow's aliases of champions again where they differ from the champion journals.")
def repair_aliases(context: dg.OpExecutionContext, model_registry: MlflowModelRegistry) -> int:
    """Let the aliases of every registered model follow its journal; returns the number of models that differed."""
    stores = model_registry.object_store.maintained().values()
    journals = [each for store in stores for each in journals_in(store)]
    repaired = [
        journal.registered_name
        for journal in journals
        if model_registry.versions(journal.registered_name).follow(journal)
    ]
    context.log.info("set the aliases of %d registered models again %s", len(repaired), ", ".join(repaired))
    return len(repaired)


@guarded_op(description="Close what killed runs left in MLflow, and mark versions that nobody promoted.")
def close_tracking_leftovers(
    context: dg.OpExecutionContext,
    config: JanitorConfig,
    experiment_tracker: MlflowTracker,
    model_registry: MlflowModelRegistry,
) -> int:
    """Close runs and logged models of ended Dagster runs, mark unpromoted versions; returns their number."""
    if not model_registry.object_store.space.is_production:
        context.log.info(_NOT_OURS)
        return 0
    leftovers = Leftovers(
        tracking_uri=experiment_tracker.tracking_uri,
        experiment_prefix=experiment_tracker.experiment_prefix,
        owner=lambda run_id: _state_of(context.instance, run_id),
        older_than_seconds=config.older_than_hours * _HOUR,
    )
    stores = [*model_registry.object_store.maintained().values()]
    closed = leftovers.close_runs() + leftovers.mark_versions(stores)
    context.log.info("closed %d leftovers in MLflow%s", len(closed), "".join(f"\n{one}" for one in closed))
    return len(closed)


def _state_of(instance: dg.DagsterInstance, run_id: str) -> OwnerState:
    run = instance.get_run_by_id(run_id)
    if run is None:
        return "unknown"
    return "ended" if run.is_finished else "alive"


@guarded_op(description="Make an earlier version of an asset the newest, by a new commit that names its objects.")
def restore_version(
    context: dg.OpExecutionContext,
    config: RestoreConfig,
    artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
) -> int:
    """Restore a version; returns the number of the new commit."""
    artifacts = artifact_io_manager.artifacts()
    earlier = artifacts.log.read(tuple(config.asset.split("/")), config.partition, config.version)
    commit = restore_files(artifacts.store, earlier, attempt_id=f"{context.run.run_id}-restore")
    artifacts.write_feature_file(commit)
    context.log.info("version %d of %s is now version %d", config.version, config.asset, commit.number)
    return commit.number


@dg.job(
    description="Remove what no commit names, old copies of refused files, what killed runs left in MLflow, and "
    "what the retention policy lets go."
)
def artifact_janitor_job() -> None:
    """Five steps, in any order."""
    remove_leftovers()
    expire_quarantine()
    expire_versions()
    close_tracking_leftovers()
    repair_aliases()


@guarded_op(description="Remove everything that a space holds: versions, journals, registered models and MLflow runs.")
def remove_space(
    context: dg.OpExecutionContext,
    config: SpaceConfig,
    experiment_tracker: MlflowTracker,
    model_registry: MlflowModelRegistry,
) -> int:
    """Remove a space; returns the number of objects that it had in the artifact store."""
    spaces, name = model_registry.object_store, config.space
    if name not in spaces.space_names():
        raise SpecError(
            "there is no such space",
            where="space_removal_job, ops.remove_space.config.space",
            found=name,
            expected=f"one of {', '.join(spaces.space_names()) or 'none: there is production alone'}",
        )
    tracked = remove_tracked(experiment_tracker.tracking_uri, experiment_tracker.experiment_prefix, name)
    store = spaces.of_space(name)
    keys = [item.key for item in store.list_objects("")]
    for key in keys:
        store.delete(key)
    context.log.info("removed %d objects of %s%s", len(keys), name, "".join(f"\n{one}" for one in tracked))
    return len(keys)


@dg.job(description="Remove the space of an experiment, or of a branch that is gone.")
def space_removal_job() -> None:
    """One step: `remove_space`."""
    remove_space()


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
