"""The champion and the decision about it as metadata and a check result, and read back from there.

Does not belong here: deciding.
"""

from typing import Any

import dagster as dg

from assay.errors import TrackingError
from assay.promotion.champion import ChampionRecord
from resources.mlflow.models import RegisteredVersion

CHAMPION = "champion_model"
ROLLED_BACK = "rolled back"
_MODEL = "registered model"


def champion_metadata(record: ChampionRecord, card: str) -> dict[str, Any]:
    """Return the decision, its reason, the champion's version and the model card."""
    decision = record.decision
    return {
        "decision": decision.verdict,
        "reason": decision.reason,
        _MODEL: record.registered_name,
        "champion version": record.version or "none yet",
        "previous champion": record.previous_version or "none",
        "decision in numbers": dg.MetadataValue.json(decision.model_dump(mode="json")),
        "model card": dg.MetadataValue.md(card),
    }


def check_of_champion(record: ChampionRecord) -> dg.AssetCheckResult:
    """Return whether the new model took the champion's place."""
    return dg.AssetCheckResult(
        check_name="beats_champion",
        passed=record.decision.verdict == "promoted",
        severity=dg.AssetCheckSeverity.WARN,
        description=record.decision.reason,
    )


def rollback_metadata(now: RegisteredVersion, former: RegisteredVersion, reason: str) -> dict[str, Any]:
    """Return what a roll-back did, under the names that a promotion uses."""
    return {
        "decision": ROLLED_BACK,
        "reason": reason,
        _MODEL: now.name,
        "champion version": now.version,
        "previous champion": former.version,
    }


def registered_model_of(instance: dg.DagsterInstance, champion: dg.AssetKey) -> str:
    """Return the name under which a pipeline's champions are registered, as its last decision recorded it.

    Raises:
        TrackingError: no decision is recorded.
    """
    event = instance.get_latest_materialization_event(champion)
    made = event.asset_materialization if event else None
    if made is None or _MODEL not in made.metadata:
        raise TrackingError(
            "no champion was ever decided on",
            where=champion.to_user_string(),
            remedy="check the pipeline's name",
        )
    return str(made.metadata[_MODEL].value)
