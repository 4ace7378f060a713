"""The versions that answer requests at one moment, and how the rows of a request are divided between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from assay.errors import Location
from assay.prediction.rows import UserRows
from assay.serving.arms import Arm, key_text, position_of
from assay.specs.serving import ServingSpec
from serving.refusals import unreadable
from serving.versions import ServedVersion

Mask: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"

_NONE = ServingSpec(log=None)


@dataclass(frozen=True, slots=True)
class Division:
    """Which rows of a request belong to the challenger.

    Attributes:
        experiment: which versions are compared; empty without a challenger.
        live: whether the challenger answers its rows, and does not predict in the shadow.
        share: of keys that belong to the challenger; None without one.
        keys: of each row, as text; None where a row has none. Such rows are the champion's and no part of the
            experiment.
        challenged: shape (rows,): whether a row belongs to the challenger.
        sent: texts of the columns that are logged by their values.
    """

    experiment: str
    live: bool
    share: float | None
    keys: tuple[str | None, ...]
    challenged: Mask
    sent: Mapping[str, Sequence[str | None]]

    @property
    def without_key(self) -> int:
        """How many rows an experiment leaves to the champion as they have no key."""
        return sum(key is None for key in self.keys) if self.experiment else 0

    def is_inside(self, number: int, *, challenged: bool) -> bool:
        """Whether a row that an arm predicted is part of the experiment: it has a key, and was not passed on."""
        assigned = not self.live or bool(self.challenged[number]) == challenged
        return bool(self.experiment) and self.keys[number] is not None and assigned


@dataclass(frozen=True, slots=True)
class Arms:
    """A champion, and a challenger that answers some of the rows or predicts in the shadow.

    A request keeps the arms that it began with, so that a promotion or roll-back meanwhile neither loses it nor
    divides it in two ways.

    Attributes:
        champion: that answers.
        challenger: None without one.
        pipeline: name.
        serving: as the pipeline says.
    """

    champion: ServedVersion
    challenger: ServedVersion | None = None
    pipeline: str = ""
    serving: ServingSpec = _NONE

    @property
    def rival(self) -> ServedVersion | None:
        """The challenger where it answers rows; None without a challenger, or where it predicts in the shadow."""
        return None if self.serving.shadow else self.challenger

    @property
    def experiment(self) -> str:
        """Which versions are compared, and with which salt; empty without a challenger."""
        if self.challenger is None:
            return ""
        parts = (self.champion.entry.version, self.challenger.entry.version, self._salt)
        return ":".join(part for part in parts if part)

    @property
    def _salt(self) -> str:
        return self.serving.challenger.salt if self.serving.challenger is not None else ""

    @property
    def sent_columns(self) -> tuple[str, ...]:
        """Columns that are read beside the model's."""
        return self.serving.sent_columns

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a request that are read."""
        rival = self.rival.columns if self.rival is not None else ()
        return tuple(dict.fromkeys((*self.champion.columns, *rival, *self.sent_columns)))

    def divided(self, rows: UserRows, count: int, request_id: str) -> Division:
        """Return which rows of a request belong to the challenger.

        Raises:
            RequestError: a column that is sent besides has another number of rows.
        """
        sent = {name: _texts(rows, name, count) for name in self.sent_columns}
        none = np.zeros(count, dtype=bool)
        if self.challenger is None:
            return Division("", live=False, share=None, keys=(None,) * count, challenged=none, sent=sent)
        by, share = self.serving.key, self.serving.share
        keys = (request_id,) * count if by is None else tuple(sent[by])
        salt = f"{self.challenger.entry.version}:{self._salt}"
        arms = {key: key is not None and position_of(self.pipeline, salt, key) < share for key in set(keys)}
        challenged = np.array([arms[key] for key in keys], dtype=bool) if count else none
        return Division(self.experiment, self.rival is not None, share, keys, challenged, sent)


def alone(version: ServedVersion) -> Arms:
    """Return a version that answers every row."""
    return Arms(version)


def arm_name(*, challenged: bool) -> str:
    """Return the name of an arm."""
    return str(Arm.CHALLENGER if challenged else Arm.CHAMPION)


def _texts(rows: Any, name: str, count: int) -> Sequence[str | None]:
    """Return a column's values as keys; missing ones where the rows lack it."""
    if isinstance(rows, pa.Table):
        values = rows.column(name).to_pylist() if name in rows.column_names else [None] * count
    else:
        values = rows.get(name, [None] * count)
    if len(values) != count:
        raise unreadable("a column has another number of rows", values, f"{count:,} values", Location(column=name))
    return [key_text(value) for value in values]
