"""What the sentinel looks for: leakage and unreadiness that no configured rule would find.

Does not belong here: how it looks (`assay.validation.sentinel`), which rules block (`validation.warn`, `.block`).
"""

from pydantic import Field

from assay.specs.base import Spec


class SentinelSpec(Spec):
    """Bounds of the rules that are on without being asked for."""

    enabled: bool = True
    """Whether the sentinel's rules are judged."""
    trusted: tuple[str, ...] = ()
    """Columns that were looked at and may predict the target as well as they do."""
    max_single_feature_score: float = Field(default=0.99, gt=0.5, le=1)
    """AUC, or R2 of ranks for numbers, from which a single feature predicts the target too well."""
    max_category_share: float = Field(default=0.5, gt=0, le=1)
    """Distinct categories per row from which a categorical column is absurd."""
    max_duplicate_share: float = Field(default=0.05, ge=0, le=1)
    """Share of rows that repeat another row in every feature and the target, above which the holdout is no holdout."""
    min_class_members: int = Field(default=10, ge=2)
    """Fewest rows of a class."""
