"""The record of which model is champion after a promotion decision.

Does not belong here: the decision itself (`promotion`), the registry that holds the model.
"""

from assay.promotion import PromotionDecision
from assay.specs.base import Spec


class ChampionRecord(Spec):
    """What the registry says after a decision."""

    pipeline: str
    registered_name: str
    decision: PromotionDecision
    version: str | None
    """The champion's version in the registry; missing while there is no champion."""
    previous_version: str | None = None
    """The champion before this decision."""
