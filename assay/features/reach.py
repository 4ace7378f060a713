"""How far the windows of steps reach into earlier partitions.

The rows of a partition follow from the source's rows of as many partitions as these functions say, and of no others.
A window over what another window gives reaches as far as both together.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from assay.data.source_rows import partition_span
from assay.specs.dataset import PartitionsSpec
from assay.specs.features import Aggregation, FeaturesSpec, FeatureStep
from assay.specs.other_sources import Join, microseconds

NO_STEP = -1
"""In place of the number of a step, where no window reaches into earlier partitions."""
_WORDS = re.compile(r"\w+")
_SHORTEST_DAYS = {"hour": 1 / 24, "day": 1, "week": 7, "month": 28, "year": 365}


@dataclass(frozen=True, slots=True)
class Reach:
    """What steps need of earlier partitions.

    Attributes:
        microseconds: how long before a row the earliest row may be on which it depends.
        last: number of the last step whose window reaches into earlier partitions.
        times: the columns of times of these windows.
        windows: the numbers of their steps.
        alone: windows that see the rows of their partition alone, by the number of the step, and why.
    """

    microseconds: int = 0
    last: int = NO_STEP
    times: frozenset[str] = frozenset()
    windows: frozenset[int] = frozenset()
    alone: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EarlierRows:
    """Rows of earlier partitions in front of a partition's own.

    Attributes:
        first: number of the partition's first row; 0 where no earlier rows are there.
        reach: of the windows, for which they are.
        absent: the columns that earlier rows alone have, where the partition's rows are only predicted.
    """

    first: int = 0
    reach: Reach = field(default_factory=Reach)
    absent: tuple[str, ...] = ()


NO_EARLIER_ROWS = EarlierRows()


def reach_of(features: FeaturesSpec | None, partitions: PartitionsSpec) -> Reach:
    """Return how far the windows of steps reach; of a pipeline without partitions a window sees all rows."""
    if features is None or partitions.by == "none":
        return Reach()
    walk = _Walk(_why_not(features, partitions))
    for number, step in enumerate(features.steps):
        if not step.is_fitted:
            walk.follow(number, step)
    last = max(walk.windows, default=NO_STEP)
    return Reach(walk.farthest, last, frozenset(walk.times), frozenset(walk.windows), walk.alone)


def earlier_keys(partitions: PartitionsSpec, key: str, reach: Reach) -> tuple[str, ...]:
    """Return the earlier partitions into which the windows of a partition reach, oldest first."""
    if not reach.microseconds:
        return ()
    start, _ = partition_span(partitions, key)
    return keys_between(partitions, start - dt.timedelta(microseconds=reach.microseconds), start)


def keys_between(partitions: PartitionsSpec, since: dt.datetime, before: dt.datetime) -> tuple[str, ...]:
    """Return the partitions that begin before a moment and end after another, oldest first; both without zone."""
    if partitions.timezone != "UTC":  # a day of the clock may have 23 hours
        since -= dt.timedelta(hours=1)
    found = []
    day = partition_span(partitions, str(partitions.start))[0]
    first = day
    key = _key_of(partitions, before - dt.timedelta(microseconds=1))
    while (span := partition_span(partitions, key))[1] > since and span[0] >= first:
        found.append(key)
        key = _key_of(partitions, span[0] - dt.timedelta(microseconds=1))
    return tuple(reversed(found))


def _key_of(partitions: PartitionsSpec, moment: dt.datetime) -> str:
    """Return the partition that holds a moment."""
    days = (moment.weekday() + 1) % 7 if partitions.by == "week" else 0
    return (moment - dt.timedelta(days=days)).strftime(partitions.key_format)


def most_earlier_keys(partitions: PartitionsSpec, reach: Reach) -> int:
    """Return into how many earlier partitions the windows of any partition reach at most."""
    if not reach.microseconds:
        return 0
    hour = 3_600_000_000
    shortest = int(_SHORTEST_DAYS[partitions.by] * 24 * hour)
    further = hour if partitions.timezone != "UTC" else 0
    return -(-(reach.microseconds + further) // shortest)


def _why_not(features: FeaturesSpec, partitions: PartitionsSpec) -> str:
    """Return why no window of a pipeline reaches into earlier partitions; empty where windows may."""
    if not partitions.is_time:
        return "partitions by object have no order in time"
    return "features.earlier_partitions is ignore" if features.earlier_partitions == "ignore" else ""


@dataclass
class _Walk:
    """What is known of the columns while the steps are followed.

    Attributes:
        why_not: why no window may reach into earlier partitions.
        depths: by the name of a column, in lower case, how far back rows count for its value; None where that cannot be
            computed for earlier rows. Of other columns the row alone counts.
        rows: the same for which rows there are.
    """

    why_not: str
    depths: dict[str, int | None] = field(default_factory=dict)
    rows: int | None = 0
    farthest: int = 0
    times: set[str] = field(default_factory=set)
    windows: set[int] = field(default_factory=set)
    alone: dict[int, str] = field(default_factory=dict)

    def follow(self, number: int, step: FeatureStep) -> None:
        """Go on to the rows after a step."""
        if step.aggregate is not None and step.aggregate.time is not None:
            self._look_back(number, step.aggregate, step.aggregate.time)
        elif step.join is not None:
            self._join(step.join)
        elif not step.is_of_rows_alone:  # whatever sees the rows of its partition sees no others
            self.rows = None
        elif step.filter is not None:
            self.rows = _both(self.rows, self._depth(step.expressions.values()))
        for name, sql in (step.derive or {}).items():
            self._set(name, self._depth([sql]))
        renamed = {new.lower(): self.depths.pop(old.lower(), 0) for old, new in (step.rename or {}).items()}
        for name, depth in renamed.items():
            self._set(name, depth)

    def _look_back(self, number: int, asked: Aggregation, time: str) -> None:
        below = _both(self.rows, self._depth((time, *asked.by, *asked.columns.values())))
        depth = None
        if self.why_not or asked.over is None:
            self.alone[number] = self.why_not or "without `over` it would make each partition depend on all before it"
        elif below is None:
            self.alone[number] = "a step before it computes with the rows of its partition alone"
        else:
            depth = below + microseconds(asked.over)
            self.farthest = max(self.farthest, depth)
            self.windows.add(number)
            self.times.add(time)
        for name in asked.columns:
            self._set(name, depth)

    def _join(self, join: Join) -> None:
        is_of_partition = "{partition}" in join.source or join.dataset.reference is not None
        left = [join.as_of.left] if join.as_of is not None else []
        depth = None if is_of_partition else self._depth((*join.keys, *left))
        names = list(join.columns.values() if isinstance(join.columns, dict) else join.columns)
        if join.type == "inner" or (depth != 0 and not names):
            self.rows = _both(self.rows, depth)
        for name in names:
            self._set(name, depth)

    def _set(self, name: str, depth: int | None) -> None:
        self.depths.pop(name.lower(), None)
        if depth != 0:
            self.depths[name.lower()] = depth

    def _depth(self, texts: Iterable[str]) -> int | None:
        """Return the depth of what is computed from some columns; a name in a comment or a text counts as well."""
        found: int | None = 0
        for text in texts if self.depths else ():
            names = _names_in(text.lower())
            for name, depth in self.depths.items():
                found = _both(found, depth) if names(name) else found
        return found


def _names_in(text: str) -> Callable[[str], bool]:
    words = {*_WORDS.findall(text)}
    return lambda name: name in words if _WORDS.fullmatch(name) else name in text


def _both(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)
