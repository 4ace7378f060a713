"""How the values of one column are spread, as counts to be drawn.

Does not belong here: drawing (`drawing`); deciding whether values may be shown (`columns`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.validation.profile_page.texts import number
from assay.validation.values_shown import shown

_BINS = 24
# integers with fewer different steps get a bin each
_STEPS = 40
_TOP = 8


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of values in equally wide bins.

    Attributes:
        counts: values in each bin.
        low: the smallest value.
        high: the largest value.
        of: what is counted.
    """

    counts: tuple[int, ...]
    low: str
    high: str
    of: str = "values"


@dataclass(frozen=True, slots=True)
class Categories:
    """The most frequent values.

    Attributes:
        bars: value, count and share of the values that are there, most frequent first.
        others: number of values that are none of these.
    """

    bars: tuple[tuple[str, int, float], ...]
    others: int


def of_numbers(values: "np.ndarray[Any, Any]", *, whole: bool, of: str = "values") -> Histogram | None:
    """Return the histogram of finite numbers (float64); None if there are none.

    Args:
        values: the numbers.
        whole: whether they are integers; few different ones get a bin each.
        of: what is counted.
    """
    if not values.size:
        return None
    low, high = float(values.min()), float(values.max())
    return Histogram(_binned(values, whole=whole), number(low), number(high), of)


def of_lengths(values: pa.ChunkedArray) -> Histogram | None:
    """Return the histogram of texts' lengths in characters; None if there are none."""
    lengths = np.asarray(pc.utf8_length(values.drop_null()), dtype=np.float64)
    return of_numbers(lengths, whole=True, of="lengths in characters")


def of_moments(values: pa.ChunkedArray) -> Histogram | None:
    """Return the histogram of dates or timestamps, in UTC where they have a zone; None if there are none."""
    there = values.drop_null()
    if not len(there):
        return None
    width = pa.int32() if pa.types.is_date32(there.type) else pa.int64()
    bounds = pc.min_max(there)
    counts = _binned(np.asarray(there.cast(width), dtype=np.float64), whole=False)
    return Histogram(counts, _moment(bounds["min"]), _moment(bounds["max"]))


def of_categories(values: pa.ChunkedArray) -> Categories | None:
    """Return the most frequent values; None if there are none, or if no value occurs twice."""
    there = values.drop_null()
    counted = pc.value_counts(there)
    counts = np.asarray(counted.field("counts"))
    if not counts.size or (counts.size > _TOP and counts.max() == 1):
        return None
    top = np.argsort(-counts, kind="stable")[:_TOP]
    names = counted.field("values").take(pa.array(top)).to_pylist()
    bars = [
        (shown(name, pii=False), int(count), float(count / len(there)))
        for name, count in zip(names, counts[top], strict=True)
    ]
    return Categories(tuple(bars), len(there) - sum(count for _, count, _ in bars))


def _binned(values: "np.ndarray[Any, Any]", *, whole: bool) -> tuple[int, ...]:
    low, high = values.min(), values.max()
    # dividing first: the range of huge numbers overflows
    span = high / 2 - low / 2
    if whole and span < _STEPS / 2:
        return _counted(values - low)
    if not span:
        return (int(values.size),)
    place = (values / 2 - low / 2) / span * _BINS
    return _counted(np.minimum(place, _BINS - 1))


def _counted(bins: "np.ndarray[Any, Any]") -> tuple[int, ...]:
    return tuple(int(count) for count in np.bincount(bins.astype(np.int64)))


def _moment(value: Any) -> str:
    kind = value.type
    # text of a moment in another zone needs a time-zone database, which not every machine has
    plain = value.cast(pa.timestamp(kind.unit)) if pa.types.is_timestamp(kind) and kind.tz else value
    text = str(plain.cast(pa.string()).as_py())
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.removesuffix(" 00:00:00") + (" UTC" if plain is not value else "")
