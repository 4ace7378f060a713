"""Labels that come after the predictions were served, and what follows from comparing two versions by them."""

import re
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from assay.specs.base import invalid
from assay.specs.other_sources import OtherSource

REQUEST_KEY: Literal["request_id"] = "request_id"
VERSION_COLUMNS = ("label_key", "label_class", "label_value", "label_known_at", "label_read_at")
"""Columns of the stored versions of labels, beside those of the key."""
LOSSES_OF_NUMBERS = frozenset({"squared", "absolute"})
_DELAY = re.compile(r"(0|[1-9][0-9]{0,5}) ?(second|minute|hour|day|week|s|m|h|d|w)s?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def loss_problem(loss: str, *, classification: bool) -> str:
    """Return why a loss does not fit a task; empty where it does."""
    if loss == "auto" or (loss in LOSSES_OF_NUMBERS) is not classification:
        return ""
    fitting = "zero_one, brier or log of a classification" if classification else "squared or absolute of a regression"
    return f"{fitting}, or auto"


def _delay(text: str) -> str:
    if not _DELAY.fullmatch(text):
        msg = f"a span such as 7d or 12 hours: a number of seconds, minutes, hours, days or weeks, not {text!r}"
        raise ValueError(msg)
    return text


Delay: TypeAlias = Annotated[str, AfterValidator(_delay)]


class LabelsSpec(OtherSource):
    """Labels of served predictions: a source that is read like a joined one, with a frozen schema of its own."""

    table: str = Field(default="labels", pattern=r"^[a-z][a-z0-9_]{0,62}$")
    """Name of the source's schema file, `<pipeline>.<table>.v<N>.yaml`."""
    key: Literal["request_id"] | tuple[str, ...] = REQUEST_KEY
    """What says which prediction a label is of: `request_id`, with the column `row` (from 1) where a request has
    several rows; or columns that the labels and the log have, which identify a prediction and not only a customer."""
    delay: Delay
    """How long after a prediction its label is expected, such as 7d. A row counts once it is older: labels that come
    earlier may be of one class alone, as a fraud is known sooner than an honest payment."""
    target: str | None = None
    """The column of the label; the pipeline's target unless set."""
    as_of: str | None = None
    """The column of the time at which a label became known; the newest version of a label counts. The time at which it
    was first read unless set."""
    max_missing: float = Field(default=0.05, ge=0, le=1)
    """Largest share of predictions older than `delay` that may lack a label before `labels_arrive_in_time` warns."""
    days: int = Field(default=90, ge=1, le=3660)
    """Newest days of the log that are measured; of an experiment that lasts longer, all its days are."""
    loss: Literal["auto", "zero_one", "brier", "log", "squared", "absolute"] = "auto"
    """The loss of one row by whose mean two versions are compared. `auto`: the loss that the primary metric is a mean
    of (`accuracy`: zero_one, `log_loss`: log, `mae`: absolute, `rmse`, `r2`: squared), and for metrics that are none,
    such as `roc_auc`, brier where there are probabilities, else zero_one; in a regression squared."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """The probability that a verdict is right to find no difference between equal arms, however many days are compared,
    is at least this."""

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        names = [*self.key_columns, *filter(None, (self.target, self.as_of))]
        twice = sorted({name for name in names if names.count(name) > 1})
        if not self.key_columns:
            raise invalid("request_id, or at least one column", "key", value=list(self.key))
        if taken := sorted({*self.key_columns} & {*VERSION_COLUMNS}):
            raise invalid(f"other names than {', '.join(VERSION_COLUMNS)}", "key", value=", ".join(taken))
        if twice or not all(names):
            raise invalid("different columns for key, target and as_of", "key", value=", ".join(twice) or "''")
        return self

    @property
    def by_request(self) -> bool:
        """Whether labels name the request."""
        return self.key == REQUEST_KEY

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The columns of the labels that say which prediction a label is of."""
        return (REQUEST_KEY,) if isinstance(self.key, str) else self.key

    @property
    def delay_microseconds(self) -> int:
        """The length of the delay."""
        found = _DELAY.fullmatch(self.delay)
        return int(found[1]) * _SECONDS[found[2][0]] * 1_000_000 if found else 0
