"""What the profile page says of one column: counts to draw, statistics, notes, and how text and numbers are written."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.counting import counted
from assay.data.schema import ColumnSchema
from assay.gate.checked_table import CheckedTable, ColumnKind
from assay.gate.report import ColumnProfile, shown
from assay.specs.dataset import ColumnRole

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
    """Return the histogram of finite numbers (float64); None if there are none."""
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
    index = (values / 2 - low / 2) / span * _BINS
    return _counted(np.minimum(index, _BINS - 1))


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


# a number with few values says more as bars
_FEW_VALUES = 12


@dataclass(frozen=True, slots=True)
class ColumnView:
    """One column as it is shown.

    Attributes:
        index: 0-based among the report's columns; names the column in links.
        profile: the report's counts over all checked rows.
        is_target: whether it is what the model learns.
        pii: whether it holds personal data.
        drawing: histogram of numbers, moments or texts' lengths, or the most frequent values.
        median: of the sample's finite numbers.
        middle: first and third quartile of the same.
        deviation: standard deviation of the sample's finite numbers.
        notes: what a reader should know.
    """

    index: int
    profile: ColumnProfile
    is_target: bool
    pii: bool
    drawing: Histogram | Categories | None = None
    median: float | None = None
    middle: tuple[float, float] | None = None
    deviation: float | None = None
    notes: tuple[str, ...] = ()


def column_view(index: int, profile: ColumnProfile, schema: ColumnSchema, table: CheckedTable, rows: int) -> ColumnView:
    """Return what is shown of a column."""
    view = ColumnView(index, profile, schema.reason == "target", schema.pii, notes=tuple(_notes(profile, schema, rows)))
    if profile.masked or profile.name not in table:
        return view
    kind, values = table.kind(profile.name), table.plain(profile.name)
    if kind in {"integer", "float"}:
        return _with_numbers(view, values, whole=kind == "integer")
    if kind == "other":
        return replace(view, notes=(*view.notes, f"no drawing for values of type {profile.dtype}"))
    return replace(view, drawing=_drawing(kind, values, profile.role))


def _drawing(kind: ColumnKind, values: pa.ChunkedArray, role: ColumnRole) -> Histogram | Categories | None:
    if kind == "empty":
        return None
    if kind == "datetime":
        return of_moments(values)
    is_prose = kind == "string" and role is ColumnRole.TEXT
    return of_lengths(values) if is_prose else of_categories(values)


def _with_numbers(view: ColumnView, values: pa.ChunkedArray, *, whole: bool) -> ColumnView:
    numbers = values.cast(pa.float64(), safe=False).drop_null().to_numpy()
    finite = numbers[np.isfinite(numbers)]
    infinite = int(np.isinf(numbers).sum())
    notes = (*view.notes, f"{counted(infinite, 'infinite value')}, not drawn") if infinite else view.notes
    if not finite.size:
        return replace(view, notes=notes)
    # scaled, because the squares of huge numbers overflow
    size = float(np.abs(finite).max()) or 1.0
    first, median, third = (float(value) * size for value in np.quantile(finite / size, [0.25, 0.5, 0.75]))
    return replace(
        view,
        drawing=of_categories(values) if _is_of_classes(view) else of_numbers(finite, whole=whole),
        median=median,
        middle=(first, third),
        deviation=float(np.std(finite / size)) * size,
        notes=notes,
    )


def _is_of_classes(view: ColumnView) -> bool:
    """Whether a column of numbers is one of classes."""
    classes = view.is_target and (view.profile.distinct or 0) <= _FEW_VALUES
    return classes or view.profile.role in {ColumnRole.CATEGORICAL, ColumnRole.BOOLEAN}


def _notes(profile: ColumnProfile, schema: ColumnSchema, rows: int) -> list[str]:
    notes = []
    if schema.pii:
        notes.append("values withheld: personal data")
    elif profile.masked:
        notes.append("values withheld: validation.show_values is false")
    if rows and profile.missing == rows:
        notes.append("every value is missing")
    elif profile.distinct is not None and not profile.distinct_is_approximate:
        if profile.distinct == 1:
            notes.append("the same value wherever there is one" if profile.missing else "the same value in every row")
        elif profile.distinct == rows - profile.missing > 1:
            notes.append("every value differs")
    return notes


WIDTH, HEIGHT = 288, 64


def histogram_path(counts: tuple[int, ...]) -> str:
    """Return the outline of a histogram's bars as an SVG path in a box of 288 by 64."""
    most = max(counts)
    step = WIDTH / len(counts)
    gap = 1 if step > 4 else 0  # noqa: PLR2004 - pixels
    parts = []
    for index, count in enumerate(counts):
        if count:
            # a bin with one value among thousands stays visible
            height = max(HEIGHT * count / most, 1.0)
            parts.append(f"M{index * step:.1f} {HEIGHT}v-{height:.1f}h{step - gap:.1f}v{height:.1f}z")
    return "".join(parts)


def heat(value: float | None) -> str:
    """Return the style class of a correlation: `n10` (-1) ... `p0` (0) ... `p10` (1); `none` where it is undefined."""
    if value is None:
        return "none"
    step = round(abs(value) * 10)
    return f"{'n' if value < 0 and step else 'p'}{step}"


NOTHING = "\N{EN DASH}"
_EXACT_INTEGERS = 1e15


def readable(text: str, limit: int = 120) -> str:
    """Return a text with control, direction and other invisible characters spelled out, at most `limit` long.

    Names and values come from files: a right-to-left mark would turn the text around it, a NUL is no HTML, and a lone
    surrogate cannot be written at all.
    """
    head = text[:limit]
    plain = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in head)
    return plain if len(text) <= limit and len(plain) <= limit else f"{plain[: limit - 1]}…"


def number(value: float | None) -> str:
    """Return a number with five significant digits; integers up to 1e15 in full; a dash for none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    whole = value == int(value) and abs(value) < _EXACT_INTEGERS
    return f"{value:,.0f}" if whole else f"{value:,.5g}"


def coefficient(value: float | None) -> str:
    """Return a correlation with two decimals and no negative zero; a dash for none."""
    return NOTHING if value is None else f"{round(value, 2) + 0.0:.2f}"


def percent(share: float) -> str:
    """Return a share as a percentage that is 0 % or 100 % only if it is exactly so."""
    text = f"{share:.2%}"
    if text == "0.00%" and share > 0:
        return "<0.01%"
    return ">99.99%" if text == "100.00%" and share < 1 else text
