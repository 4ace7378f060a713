"""People's part in promotion: what they decided earlier, what waits for them, and the commands by which they decide."""

from assay.promotion.champion import ChampionEntry
from assay.promotion.decision import PromotionDecision
from assay.promotion.history import ChampionHistory
from assay.specs.pipeline import PipelineSpec

_DONE = {"rolled_back": "rolled back", "withdrawn": "withdrawn", "rejected": "rejected"}


def with_people(
    decision: PromotionDecision, digest: str, history: ChampionHistory, spec: PipelineSpec
) -> PromotionDecision:
    """Return a decision as people have to say in it.

    A model that was rolled back, withdrawn or rejected is not promoted again, nor proposed. Where the pipeline requires
    approval, a promotion waits for it.

    Args:
        decision: the verdict of the comparison.
        digest: of the challenger's files.
        history: the champion's journal.
        spec: the pipeline.
    """
    entry = history.took_back(digest)
    if entry is not None and (decision.promotes or decision.needs_approval):
        return decision.kept(_taken_back(entry, history.version_of(digest), spec.name))
    return decision.held("promotion.approval is required") if spec.promotion.approval == "required" else decision


def commands_for(pipeline: str, version: str) -> str:
    """Return the commands and the job by which a person decides on a version that waits."""
    return (
        f"assay approve {pipeline} {version}, or assay reject {pipeline} {version}; in the user interface "
        f"champion_approval_job with pipeline: {pipeline}, version: '{version}', decision: approve or reject"
    )


def rollback_command(pipeline: str, version: str | None = None) -> str:
    """Return the command that makes an earlier champion the current one."""
    return f"assay rollback {pipeline}" + (f" --to {version}" if version else "")


def other_champion(pipeline: str) -> str:
    """Return how to go on with another champion, or with none."""
    return (
        f"make an earlier version champion: {rollback_command(pipeline, '<version>')}, or start champion_rollback_job "
        f"with {_rollback_config(pipeline, 'version: <number>')}; or {without_champion(pipeline)}"
    )


def without_champion(pipeline: str) -> str:
    """Return how to go on without a champion."""
    config = _rollback_config(pipeline, "withdraw: true")
    return f"go on without a champion: start champion_rollback_job with {config}, then materialise champion_model"


def _rollback_config(pipeline: str, choice: str) -> str:
    return f"ops: {{roll_back_champion: {{config: {{pipeline: {pipeline}, {choice}}}}}}}"


def _taken_back(entry: ChampionEntry, version: str | None, pipeline: str) -> str:
    """Return that a person took a model back, when and why, and how to promote it all the same."""
    why = f" ({entry.reason})" if entry.reason else ""
    return (
        f"this model was {_DONE.get(entry.event, entry.event)} on {entry.created_at:%Y-%m-%d}{why}, by entry "
        f"{entry.number} of the champion journal; {rollback_command(pipeline, version)} makes it champion"
    )
