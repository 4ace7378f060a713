"""What happens to a model around learning: promotion, tracking, automation.

Does not belong here: how a model is fitted and judged (`learning`).
"""

from typing import Literal

from pydantic import Field, field_validator

from assay.specs.base import Spec

_CRON_FIELDS = 5


class PromotionSpec(Spec):
    """When a new model replaces the champion."""

    minimum_effect: float = Field(default=0.0, ge=0)
    """Improvement of the primary metric that must be exceeded."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Share of paired bootstrap resamples of the holdout in which it must be exceeded."""


class TrackingSpec(Spec):
    """What the experiment tracker records."""

    trials: Literal["batch", "nested"] = "batch"
    """All trials as one table and metric series, or one nested run each."""
    tags: dict[str, str] = {}
    """Further tags of every run."""


class AutomationSpec(Spec):
    """What starts runs by itself."""

    retrain_on: tuple[Literal["new_data"], ...] = ()
    """`new_data`: a new or rewritten object of the source."""
    schedule: str | None = None
    """Cron line, in the deployment's time zone."""
    interval_seconds: int = Field(default=30, ge=5)
    """Time between two looks at the source."""

    @field_validator("schedule")
    @classmethod
    def _cron_has_five_fields(cls, cron: str | None) -> str | None:
        if cron is not None and len(cron.split()) != _CRON_FIELDS:
            msg = f"{cron!r} is not a cron line of {_CRON_FIELDS} fields"
            raise ValueError(msg)
        return cron
