"""How a champion is served: a challenger beside it, and the log of predictions."""

import datetime as dt
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from assay.specs.base import Spec, invalid
from assay.specs.labels import LabelsSpec

CHALLENGER_ALIAS = "challenger"
_LOG_PREFIX = "log_"


class ChallengerSpec(Spec):
    """A registered version that is compared with the champion on live requests."""

    version: int | None = Field(default=None, ge=1)
    """Version of the registered model."""
    alias: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,99}$")
    """Or the version that has this alias in MLflow; `challenger` unless one of the two is set."""
    share: float | None = Field(default=None, gt=0, lt=1)
    """Share of the keys that the challenger predicts: 0.1 unless set, and with `shadow` all of them."""
    by: str | None = Field(default=None, min_length=1)
    """Column of the rows whose value decides which version answers, so that a customer always gets the same one; it
    need not be a feature. The request's id unless set."""
    salt: str = ""
    """Another text is another assignment of the keys. Each challenger has its own anyway."""

    @model_validator(mode="after")
    def _names_one_version(self) -> Self:
        if self.version is not None and self.alias is not None:
            raise invalid("a version or an alias, not both", "alias", value=self.alias)
        if self.alias == "champion":
            raise invalid("another alias than the champion's", "alias", value=self.alias)
        return self

    @property
    def alias_followed(self) -> str | None:
        """The alias whose version is the challenger; None for a fixed version."""
        return None if self.version is not None else self.alias or CHALLENGER_ALIAS


class PredictionLogSpec(Spec):
    """What is kept of each prediction, and how surely."""

    features: Literal["digest", "values"] = "digest"
    """Whether the values of the model's columns are kept, or one digest of them for each row. Values of columns marked
    `pii` are never kept."""
    mode: Literal["buffered", "durable"] = "buffered"
    """`durable`: a prediction is on this machine's disk before it is answered, so that no crash of the process loses
    it; an answer then takes a flush of the disk longer."""
    flush_rows: int = Field(default=10_000, ge=1, le=1_000_000)
    """Rows after which an object is written to the store."""
    flush_seconds: float = Field(default=30.0, gt=0, le=3600)
    """Seconds after which an object is written that has fewer rows."""
    buffer_rows: int = Field(default=100_000, ge=1, le=10_000_000)
    """Rows that a process keeps while the store is down; further ones are dropped and counted."""
    since: str = "2026-01-01"
    """First day of the partitions of `prediction_log`."""
    late_days: int = Field(default=7, ge=1, le=366)
    """For how many days objects that arrive late are taken up by themselves."""

    @field_validator("since")
    @classmethod
    def _is_day(cls, text: str) -> str:
        try:
            dt.date.fromisoformat(text)
        except ValueError as error:
            msg = f"a day such as 2026-01-31, not '{text}'"
            raise ValueError(msg) from error
        return text


class ServingSpec(Spec):
    """How the endpoint serves the pipeline's champion."""

    challenger: ChallengerSpec | None = None
    """A version that answers a share of the requests, or predicts in the shadow; none unless set."""
    shadow: bool = False
    """Whether the challenger predicts off the request's path and the champion alone answers."""
    columns: tuple[str, ...] = ()
    """Columns that clients send with the rows and that are logged with their values, such as an order's number. They
    need not be in the data, and are no features by being named here."""
    log: PredictionLogSpec | None = PredictionLogSpec()
    """The log of predictions, in the store; `null` for none."""
    labels: LabelsSpec | None = None
    """Labels that come later; without them there is no `live_performance`."""
    on_verdict: Literal["report", "promote", "roll_back", "request_approval"] = "report"
    """What follows once labels show the challenger better: nothing but the report and its notification; its promotion;
    the roll-back to it, where it was champion before; or a request for a person's approval."""

    @field_validator("columns")
    @classmethod
    def _names_are_free(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not name or name.startswith(_LOG_PREFIX) or names.count(name) > 1:
                msg = f"different names, none of which begins with '{_LOG_PREFIX}', not '{name}'"
                raise ValueError(msg)
        return names

    @model_validator(mode="after")
    def _shadow_has_a_challenger(self) -> Self:
        if self.shadow and self.challenger is None:
            raise invalid("a challenger, which predicts in the shadow: serving.challenger", "shadow", value=True)
        return self

    @model_validator(mode="after")
    def _labels_can_be_joined(self) -> Self:
        labels = self.labels
        if labels is not None and self.log is None:
            raise invalid(
                "the log of predictions, to which labels are joined: serving.log",
                "labels",
                "source",
                value=labels.source,
            )
        logged = self.log is not None and self.log.features == "values"
        for name in labels.key_columns if labels is not None and not labels.by_request and not logged else ():
            if name not in self.sent_columns:
                raise invalid(f"columns that are logged: name '{name}' in serving.columns", "labels", "key", value=name)
        if self.on_verdict != "report" and (labels is None or self.challenger is None):
            raise invalid(
                "serving.challenger and serving.labels, which a verdict is made of", "on_verdict", value=self.on_verdict
            )
        return self

    @property
    def key(self) -> str | None:
        """The column whose value decides the arm; None for the request's id."""
        return self.challenger.by if self.challenger is not None else None

    @property
    def sent_columns(self) -> tuple[str, ...]:
        """Columns of the rows that are logged by their values: the key, and `columns`."""
        names = (*((self.key,) if self.key else ()), *self.columns)
        return tuple(dict.fromkeys(names))

    @property
    def share(self) -> float:
        """Share of the keys that the challenger predicts; 0 without one."""
        if self.challenger is None:
            return 0.0
        return self.challenger.share or (1.0 if self.shadow else 0.1)
