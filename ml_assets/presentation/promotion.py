"""The champion and the decision about it as metadata and a check result.

Does not belong here: deciding.
"""

from typing import Any

import dagster as dg

from assay.champion import ChampionRecord


def champion_metadata(record: ChampionRecord, card: str) -> dict[str, Any]:
    """Return the decision, its reason, the champion's version and the model card."""
    decision = record.decision
    return {
        "decision": decision.verdict,
        "reason": decision.reason,
        "registered model": record.registered_name,
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
