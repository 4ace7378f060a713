"""Jobs by which people change champions in the user interface: roll back or withdraw, approve or reject."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import dagster as dg
from pydantic import Field

from assay.errors import SpecError
from assay.promotion.champion import ChampionChange, ChampionEntry
from assay.specs import PipelineSpec
from assay.specs.pipeline_names import by_name, named_pipeline
from ml_assets.assets.champion_model import champion_events
from ml_assets.pipeline.guarded_op import guarded_op
from resources.launching_user import USER_TAG
from resources.mlflow.people import Request, approve, reject, roll_back, withdraw
from resources.mlflow.registry import MlflowModelRegistry

Specs: TypeAlias = Mapping[str, PipelineSpec]
_PIPELINE = "The pipeline, or its registered model."
_REASON = "For the journal, notifications and the history of champion_model."


class RollbackConfig(dg.Config):
    """The champion to restore."""

    pipeline: str = Field(description=_PIPELINE)
    version: str | None = Field(
        default=None, description="A version of its registered model; the champion before the current one unless given."
    )
    withdraw: bool = Field(
        default=False,
        description="No champion afterwards: the next model is promoted without a comparison. Works where the "
        "champion's version or files are gone, and where the alias is on a version of somebody else.",
    )
    reason: str = Field(default="", description=_REASON)


class ApprovalConfig(dg.Config):
    """The decision on a version that waits."""

    pipeline: str = Field(description=_PIPELINE)
    version: str = Field(
        description="The version that waits, by the check better_model_is_champion or `assay champion`."
    )
    decision: Literal["approve", "reject"] = Field(
        description="approve: it becomes champion; reject: the champion stays, and this model is not proposed again."
    )
    reason: str = Field(default="", description=_REASON)


def champion_jobs(specs: Sequence[PipelineSpec]) -> list[dg.JobDefinition]:
    """Return `champion_rollback_job` and `champion_approval_job` for some pipelines."""
    named = by_name(specs)
    return [_rollback_job(named), _approval_job(named)]


def change_of(entry: ChampionEntry, current: str | None) -> ChampionChange:
    """Return what an entry of the journal did; `current` is the champion's version afterwards."""
    outcome = "needs_approval" if entry.event == "awaiting_approval" else entry.event
    return ChampionChange(
        registered_name=entry.registered_name,
        outcome="promoted" if outcome == "adopted" else outcome,
        version=current,
        previous_version=entry.replaced if entry.changes_champion else None,
        proposed_version=None if entry.changes_champion else entry.version,
        reason=entry.reason,
    )


def _rollback_job(specs: Specs) -> dg.JobDefinition:
    @guarded_op(description="Make an earlier version champion again, after its files were verified; or none.")
    def roll_back_champion(
        context: dg.OpExecutionContext,
        config: RollbackConfig,
        model_registry: MlflowModelRegistry,
    ) -> str:
        """Replace the champion; returns the version that is champion now, empty for none."""
        where = "champion_rollback_job, ops.roll_back_champion.config"
        if config.withdraw and config.version:
            raise SpecError(
                "version and withdraw exclude each other",
                where=where,
                found=f"version: {config.version}, withdraw: true",
                remedy="leave one of them out",
            )
        spec = named_pipeline(config.pipeline, specs, where=where)

        def change(name: str, request: Request) -> ChampionEntry:
            if config.withdraw:
                return withdraw(model_registry, name, request)
            return roll_back(model_registry, name, config.version, request)

        return _changed(context, spec, config.reason, change, model_registry)

    @dg.job(description="Restore an earlier champion.")
    def champion_rollback_job() -> None:
        """One step: `roll_back_champion`."""
        roll_back_champion()

    return champion_rollback_job


def _approval_job(specs: Specs) -> dg.JobDefinition:
    @guarded_op(description="Make a version that waits for approval champion, or reject it.")
    def decide_on_version(
        context: dg.OpExecutionContext,
        config: ApprovalConfig,
        model_registry: MlflowModelRegistry,
    ) -> str:
        """Approve or reject; returns the version that is champion now, empty for none."""
        spec = named_pipeline(config.pipeline, specs, where="champion_approval_job, ops.decide_on_version.config")
        decided = approve if config.decision == "approve" else reject

        def change(name: str, request: Request) -> ChampionEntry:
            return decided(model_registry, name, config.version, request)

        return _changed(context, spec, config.reason, change, model_registry)

    @dg.job(description="Approve or reject a version that waits for a person.")
    def champion_approval_job() -> None:
        """One step: `decide_on_version`."""
        decide_on_version()

    return champion_approval_job


def _changed(
    context: dg.OpExecutionContext,
    spec: PipelineSpec,
    reason: str,
    change: Callable[[str, Request], ChampionEntry],
    registry: MlflowModelRegistry,
) -> str:
    """Carry out a change and record it; returns the version that is champion now, empty for none."""
    by = context.run.tags.get(USER_TAG, "") or "a person, in the user interface"
    entry = change(spec.registered_name, Request(by, reason, context.run.run_id, spec.name))
    current = registry.journal(spec.registered_name).current()
    version = entry.version if entry.names_champion else current.version if current else None
    for event in champion_events(spec, change_of(entry, version)):
        context.log_event(event)
    return version or ""
