"""Jobs that look after the artifact store: removing leftovers, bringing an earlier version back.

Does not belong here: how either is done (`resources.commits`).
"""

import dagster as dg
from pydantic import Field

from resources.artifact_io_manager import ArtifactIOManager
from resources.commits.janitor import collect_garbage, restore

_HOUR = 3600.0


class JanitorConfig(dg.Config):
    """What may be removed."""

    older_than_hours: float = Field(
        default=48.0, ge=1.0, description="Younger objects stay: the commit that names them may be on its way."
    )


class RestoreConfig(dg.Config):
    """Which version becomes the newest again."""

    asset: str = Field(description="Asset key, e.g. flight_delays/validated_dataset.")
    version: int = Field(ge=1, description="The version's number, as the metadata of its materialization shows it.")
    partition: str | None = Field(default=None, description="Partition key; none without partitions.")


def maintenance_jobs() -> list[dg.JobDefinition]:
    """Return `artifact_janitor_job` and `artifact_restore_job`."""
    return [artifact_janitor_job, artifact_restore_job]


@dg.op(description="Remove data objects of attempts that never committed; history stays.")
def remove_leftovers(
    context: dg.OpExecutionContext, config: JanitorConfig, artifact_io_manager: dg.ResourceParam[ArtifactIOManager]
) -> int:
    """Remove what no commit names; returns how many objects that were."""
    store = artifact_io_manager.artifacts().store
    removed = collect_garbage(store, older_than_seconds=config.older_than_hours * _HOUR)
    context.log.info("removed %d objects that no commit names", len(removed))
    return len(removed)


@dg.op(description="Make an earlier version of an asset the newest, by a new commit that names its objects.")
def restore_version(
    context: dg.OpExecutionContext, config: RestoreConfig, artifact_io_manager: dg.ResourceParam[ArtifactIOManager]
) -> int:
    """Bring a version back; returns the new commit's number."""
    log = artifact_io_manager.artifacts().log
    asset = tuple(config.asset.split("/"))
    commit = restore(log, asset, config.partition, config.version, attempt_id=f"{context.run.run_id}-restore")
    context.log.info("version %d of %s is now version %d", config.version, config.asset, commit.number)
    return commit.number


@dg.job(description="Remove data objects that no commit names.")
def artifact_janitor_job() -> None:
    """One step: `remove_leftovers`."""
    remove_leftovers()


@dg.job(description="Bring an earlier version of an asset back.")
def artifact_restore_job() -> None:
    """One step: `restore_version`."""
    restore_version()
