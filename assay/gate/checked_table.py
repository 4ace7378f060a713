"""The rows that the gate checks, column by column, in the form in which rules run fastest.

Strings become pandas categories: membership and equality then cost one comparison per distinct value.
"""

import datetime as dt
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.schema import TableSchema, dtype_name
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd

ColumnKind: TypeAlias = Literal["integer", "float", "boolean", "string", "datetime", "empty", "other"]
Derived = TypeVar("Derived")


class CheckedTable:
    """Rows of one partition with cached conversions.

    Args:
        table: the rows, after `drop_null_rows`.
        schema: dtype, role and pii mark of every column.
        show_values: whether values of columns without a pii mark may be shown.
        as_of: the moment as of which the rows are checked, with a time zone; now unless given.
        reference: rows that passed before, to compare with; None when there are none yet.
    """

    def __init__(
        self,
        table: pa.Table,
        schema: TableSchema,
        *,
        show_values: bool = True,
        as_of: dt.datetime | None = None,
        reference: Self | None = None,
    ) -> None:
        self.rows: int = table.num_rows
        self.names: tuple[str, ...] = tuple(table.column_names)
        self.schema = schema
        self.as_of: dt.datetime = as_of or dt.datetime.now(dt.UTC)
        self.reference = reference
        self._show_values = show_values
        self._table = table
        self._plain: dict[str, pa.ChunkedArray] = {}
        self._series: dict[str, pd.Series[Any]] = {}
        self._derived: dict[Hashable, Any] = {}

    def __contains__(self, name: str) -> bool:
        """Whether there is a column of that name."""
        return name in self.names

    def plain(self, name: str) -> pa.ChunkedArray:
        """Return a column with dictionary encoding undone."""
        if name not in self._plain:
            self._plain[name] = decoded(self._table.column(name))
        return self._plain[name]

    def derived(self, key: Hashable, make: Callable[[], Derived]) -> Derived:
        """Return what several rules derive from the rows, made once; the key starts with the maker's name."""
        if key not in self._derived:
            self._derived[key] = make()
        found: Derived = self._derived[key]
        return found

    def kind(self, name: str) -> ColumnKind:
        """Return what a column's values are compared as."""
        return _kind(self.plain(name).type)

    def dtype(self, name: str) -> str:
        """Return the recorded name of a column's type."""
        return dtype_name(self._table.schema.field(name).type)

    def is_pii(self, name: str) -> bool:
        """Whether a column's values must not be shown."""
        return not self._show_values or any(column.pii for column in self.schema.columns if column.name == name)

    @property
    def holds_pii(self) -> bool:
        """Whether any column's values must not be shown."""
        return not self._show_values or any(column.pii for column in self.schema.columns)

    def missing(self, name: str) -> int:
        """Return the number of missing values; NaN is missing."""
        return missing_count(self.plain(name))

    def series(self, name: str) -> "pd.Series[Any]":
        """Return a column as pandas: category, float64, (nullable) integer, boolean or datetime64; NaN is missing."""
        if name not in self._series:
            self._series[name] = _as_series(self.plain(name)).rename(name)
        return self._series[name]

    def frame(self, names: Iterable[str]) -> "pd.DataFrame":
        """Return columns as a frame whose index is the 0-based row number."""
        import pandas as pd

        return pd.DataFrame({name: self.series(name) for name in names}, index=pd.RangeIndex(self.rows), copy=False)

    def values_at(self, name: str, positions: "np.ndarray[Any, Any]") -> list[Any]:
        """Return Python values of some rows."""
        values: list[Any] = self.plain(name).take(pa.array(positions, type=pa.int64())).to_pylist()
        return values


def decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column with dictionary encoding and string views undone, for which few kernels exist."""
    plain = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
    # 32-bit offsets would overflow beyond 2 GiB of text
    return plain.cast(pa.large_string()) if pa.types.is_string_view(plain.type) else plain


def missing_mask(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return where a decoded column is null or NaN."""
    return pc.is_null(column, nan_is_null=True)


def missing_count(column: pa.ChunkedArray) -> int:
    """Return how often a decoded column is null or NaN."""
    if not pa.types.is_floating(column.type):
        return int(column.null_count)
    return int(pc.sum(missing_mask(column)).as_py() or 0)


def _kind(dtype: pa.DataType) -> ColumnKind:
    kinds: tuple[tuple[ColumnKind, tuple[Any, ...]], ...] = (
        ("integer", (pa.types.is_integer,)),
        ("float", (pa.types.is_floating, pa.types.is_decimal)),
        ("boolean", (pa.types.is_boolean,)),
        ("string", (pa.types.is_string, pa.types.is_large_string)),
        ("datetime", (pa.types.is_timestamp, pa.types.is_date)),
        ("empty", (pa.types.is_null,)),
    )
    return next((kind for kind, tests in kinds if any(test(dtype) for test in tests)), "other")


def _as_series(column: pa.ChunkedArray) -> "pd.Series[Any]":
    kind = _kind(column.type)
    nullable = _nullable if column.null_count and kind in {"integer", "boolean"} else None
    series: pd.Series[Any] = _convertible(column, kind).to_pandas(types_mapper=nullable)
    return series


def _convertible(column: pa.ChunkedArray, kind: ColumnKind) -> pa.ChunkedArray:
    if kind == "string":
        return column.dictionary_encode()
    if kind == "float":
        return column.cast(pa.float64())
    return column.cast(pa.timestamp("ms")) if pa.types.is_date(column.type) else column


def _nullable(dtype: pa.DataType) -> Any:
    import pandas as pd

    if pa.types.is_boolean(dtype):
        return pd.BooleanDtype()
    return pd.api.types.pandas_dtype(str(dtype).replace("uint", "UInt").replace("int", "Int"))


def awaits_labels(table: CheckedTable, spec: PipelineSpec) -> bool:
    """Return whether no row has a target yet, and `monitoring.label_delay` says that targets come later."""
    target, delayed = spec.dataset.target, bool(spec.monitoring and spec.monitoring.label_delay)
    return delayed and table.rows > 0 and target in table and table.missing(target) == table.rows
