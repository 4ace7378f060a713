"""What the page says of one column.

Does not belong here: drawing; the counts that the report has already.
"""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from assay.specs.dataset import ColumnRole
from assay.tables.schema import ColumnSchema
from assay.validation.judged_table import ColumnKind, JudgedTable
from assay.validation.profile_page import distributions
from assay.validation.profile_page.distributions import Categories, Histogram
from assay.validation.report import ColumnProfile

# a number with few values says more as bars
_FEW_VALUES = 12


@dataclass(frozen=True, slots=True)
class ColumnView:
    """One column as it is shown.

    Attributes:
        place: 0-based among the report's columns; names the column in links.
        profile: the report's counts over all judged rows.
        is_target: whether it is what the model learns.
        pii: whether it holds personal data.
        drawing: histogram of numbers, moments or texts' lengths, or the most frequent values.
        median: of the sample's finite numbers.
        middle: first and third quartile of the same.
        deviation: standard deviation of the sample's finite numbers.
        notes: what a reader should know.
    """

    place: int
    profile: ColumnProfile
    is_target: bool
    pii: bool
    drawing: Histogram | Categories | None = None
    median: float | None = None
    middle: tuple[float, float] | None = None
    deviation: float | None = None
    notes: tuple[str, ...] = ()


def column_view(place: int, profile: ColumnProfile, schema: ColumnSchema, table: JudgedTable, rows: int) -> ColumnView:
    """Return what is shown of a column.

    Args:
        place: 0-based among the report's columns.
        profile: its counts; a masked one shows no values.
        schema: its role.
        table: the sampled rows.
        rows: number of rows that the counts are of.
    """
    view = ColumnView(place, profile, schema.reason == "target", schema.pii, notes=tuple(_notes(profile, schema, rows)))
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
        return distributions.of_moments(values)
    is_prose = kind == "string" and role is ColumnRole.TEXT
    return distributions.of_lengths(values) if is_prose else distributions.of_categories(values)


def _with_numbers(view: ColumnView, values: pa.ChunkedArray, *, whole: bool) -> ColumnView:
    numbers = values.cast(pa.float64(), safe=False).drop_null().to_numpy()
    finite = numbers[np.isfinite(numbers)]
    infinite = int(np.isinf(numbers).sum())
    notes = (*view.notes, f"{infinite:,} infinite values, not drawn") if infinite else view.notes
    if not finite.size:
        return replace(view, notes=notes)
    # scaled, because the squares of huge numbers overflow
    size = float(np.abs(finite).max()) or 1.0
    first, median, third = (float(value) * size for value in np.quantile(finite / size, [0.25, 0.5, 0.75]))
    return replace(
        view,
        drawing=distributions.of_categories(values)
        if _told_apart(view)
        else distributions.of_numbers(finite, whole=whole),
        median=median,
        middle=(first, third),
        deviation=float(np.std(finite / size)) * size,
        notes=notes,
    )


def _told_apart(view: ColumnView) -> bool:
    """Whether a column of numbers is one of classes."""
    classes = view.is_target and (view.profile.distinct or 0) <= _FEW_VALUES
    return classes or view.profile.role in {ColumnRole.CATEGORICAL, ColumnRole.BOOLEAN}


def _notes(profile: ColumnProfile, schema: ColumnSchema, rows: int) -> list[str]:
    said = []
    if schema.pii:
        said.append("values withheld: personal data")
    elif profile.masked:
        said.append("values withheld: validation.show_values is false")
    if rows and profile.missing == rows:
        said.append("every value is missing")
    elif profile.distinct is not None and not profile.distinct_is_approximate:
        if profile.distinct == 1:
            said.append("the same value wherever there is one" if profile.missing else "the same value in every row")
        elif profile.distinct == rows - profile.missing > 1:
            said.append("every value differs")
    return said
