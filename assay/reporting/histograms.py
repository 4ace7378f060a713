"""Histograms of two samples of a column, in bins that both share: shares of rows, and no row."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.monitoring.changes import COUNTED
from assay.monitoring.drift import Compared
from assay.specs.base import Spec

if TYPE_CHECKING:
    import pandas as pd

_BINS = 20
_OUTSIDE = 0.01
"""Share of the values beyond each end of the axis, which the bins at the ends hold."""
_MOST_VALUES = 10
_OTHERS = "(other)"


class ComparedHistogram(Spec):
    """A column among the champion's rows and among those of a window."""

    name: str
    kind: str
    """`feature`, `target` or `prediction`."""
    edges: tuple[float, ...] = ()
    """Of the bins of numbers; empty for values that are counted, and where values are not shown."""
    labels: tuple[str, ...] = ()
    """Of values that are counted, the commonest first; numbered where they are not shown."""
    before: tuple[float, ...]
    """Share of the known values of the champion's rows, by bin."""
    now: tuple[float, ...]
    """Of those of the window."""


def histograms_of(compared: Sequence[Compared], hidden: Sequence[str]) -> Iterator[ComparedHistogram]:
    """Yield the histogram of each column that has values in both samples.

    Args:
        compared: the samples.
        hidden: columns whose values are not shown.
    """
    for each in compared:
        is_hidden, (before, now) = each.name in hidden, (each.before.dropna(), each.now.dropna())
        if each.role in COUNTED:
            if len(before) and len(now):
                yield _counted(each, before, now, is_hidden=is_hidden)
            continue
        numbers = [np.asarray(values, dtype=np.float64) for values in (before, now)]
        first, second = (values[np.isfinite(values)] for values in numbers)
        if len(first) and len(second):
            yield _binned(each, first, second, is_hidden=is_hidden)


def _binned(each: Compared, first: np.ndarray, second: np.ndarray, *, is_hidden: bool) -> ComparedHistogram:
    ends = [np.quantile(values, [_OUTSIDE, 1 - _OUTSIDE]) for values in (first, second)]
    low, high = float(min(end[0] for end in ends)), float(max(end[1] for end in ends))
    edges = _edges(low, high, whole=all((values == np.round(values)).all() for values in (first, second)))
    return ComparedHistogram(
        name=each.name,
        kind=each.kind,
        edges=() if is_hidden else tuple(edges.tolist()),
        before=_shares(first, edges),
        now=_shares(second, edges),
    )


def _edges(low: float, high: float, *, whole: bool) -> np.ndarray:
    """Return ends of bins; each bin holds as many of the whole numbers as any other, where all values are whole."""
    if not whole:
        return np.linspace(low, high, _BINS + 1) if low < high else np.array([low - 0.5, low + 0.5])
    first, last = np.floor(low), np.ceil(high)
    width = max(1.0, np.ceil((last - first + 1) / _BINS))
    return np.asarray(np.arange(first, last + width + 1, width) - 0.5)


def _shares(values: np.ndarray, edges: np.ndarray) -> tuple[float, ...]:
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return tuple((counts / len(values)).tolist())


def _counted(each: Compared, before: "pd.Series[Any]", now: "pd.Series[Any]", *, is_hidden: bool) -> ComparedHistogram:
    shares = [values.astype(str).value_counts(normalize=True) for values in (before, now)]
    both = shares[0].add(shares[1], fill_value=0.0)
    names = sorted(map(str, both.index), key=lambda name: (-float(both[name]), name))
    shown = names[:_MOST_VALUES]
    found = [[float(share.get(name, 0.0)) for name in shown] for share in shares]
    labels = [f"value {number}" for number in range(1, len(shown) + 1)] if is_hidden else shown
    if len(names) > len(shown):
        labels, found = [*labels, _OTHERS], [[*share, max(0.0, 1.0 - sum(share))] for share in found]
    return ComparedHistogram(
        name=each.name, kind=each.kind, labels=tuple(labels), before=tuple(found[0]), now=tuple(found[1])
    )
