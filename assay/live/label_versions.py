"""The versions of each label: labels come late and are corrected, and what is counted must follow from what was known.

Every reading of the source adds the versions that it brings; nothing is removed. So a repeated reading changes nothing,
a corrected label becomes a newer version, and the order in which readings come does not matter where the source says
when a label became known.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from assay.data.schema import require_column
from assay.errors import DataContractError
from assay.serving.arms import key_text
from assay.specs.labels import VERSION_COLUMNS, LabelsSpec
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd

KEY, CLASS, VALUE, KNOWN_AT, READ_AT = VERSION_COLUMNS
REQUEST_ROW = "row"
_MOMENT = pa.timestamp("us", "UTC")
_SEPARATOR, _ESCAPED = "\x1f", "\\u001f"
_EXACT_FLOATS = 2**53


@dataclass(frozen=True, slots=True)
class LabelReading:
    """What one reading of the labels brought.

    Attributes:
        versions: all versions known now: key, class or value, when it became known, when it was read, and the key's
            columns as texts, by which a person's labels are found.
        rows: read.
        added: labels of keys that had none.
        corrected: newer versions of labels that were known, with another value.
        unusable: rows without a key or without a label.
        conflicts: keys with two different labels of one time, neither of which is taken.
    """

    versions: pa.Table
    rows: int
    added: int
    corrected: int
    unusable: int
    conflicts: int


def value_column(spec: PipelineSpec) -> str:
    """Return the column that holds the label: a class as text, or a number."""
    return CLASS if spec.task.is_classification else VALUE


def labels_of(spec: PipelineSpec) -> LabelsSpec:
    """Return what a pipeline says of labels.

    Raises:
        ValueError: it says nothing; its assets are not built.
    """
    if spec.serving is None or spec.serving.labels is None:
        raise ValueError("the pipeline has no serving.labels")
    return spec.serving.labels


def empty_versions(spec: PipelineSpec) -> pa.Table:
    """Return the versions before the first reading."""
    value = pa.string() if spec.task.is_classification else pa.float64()
    types = {KEY: pa.string(), value_column(spec): value, KNOWN_AT: _MOMENT, READ_AT: _MOMENT}
    parts = dict.fromkeys(labels_of(spec).key_columns, pa.string())
    return pa.schema([*types.items(), *parts.items()]).empty_table()


def nothing_read(earlier: pa.Table) -> LabelReading:
    """Return the reading of a source that is not there yet."""
    return LabelReading(earlier, rows=0, added=0, corrected=0, unusable=0, conflicts=0)


def with_reading(
    earlier: pa.Table, table: pa.Table, labels: LabelsSpec, spec: PipelineSpec, read_at: dt.datetime
) -> LabelReading:
    """Return the versions of all labels after one more reading.

    The newest version of a label counts: by `as_of`, then by the time of reading; without `as_of` by the time of
    reading.

    Args:
        earlier: the versions before.
        table: the source's rows.
        labels: how labels are found in them.
        spec: the pipeline.
        read_at: when they were read, with a zone.

    Raises:
        MissingColumnError: the source lacks a column.
        DataContractError: a column cannot be a key, a label or a time.
    """
    import pandas as pd

    value = value_column(spec)
    frame = _frame(table, labels, spec, read_at)
    usable = frame[frame[KEY].notna() & frame[value].notna() & frame[KNOWN_AT].notna()].drop_duplicates()
    clashing = usable.duplicated([KEY, KNOWN_AT], keep=False)
    known = earlier.to_pandas()
    new = _new_versions(known, usable[~clashing], value, by_time=labels.as_of is not None)
    has_label = new[KEY].isin(known[KEY]).to_numpy()
    both = pd.concat([known, new], ignore_index=True) if len(known) else new
    schema = empty_versions(spec).schema  # another key than before has columns that earlier versions lack
    versions = pa.Table.from_pandas(both.reindex(columns=schema.names), schema, preserve_index=False)
    return LabelReading(
        versions=versions,
        rows=table.num_rows,
        added=int(new.loc[~has_label, KEY].nunique()),
        corrected=int(has_label.sum()),
        unusable=int((frame[KEY].isna() | frame[value].isna() | frame[KNOWN_AT].isna()).sum()),
        conflicts=int(usable.loc[clashing, KEY].nunique()),
    )


def current_labels(versions: pa.Table, spec: PipelineSpec) -> "pd.DataFrame":
    """Return the label of each key that counts: indexed by key, with its value and when its first version was known."""
    value = value_column(spec)
    ordered = versions.to_pandas().sort_values([KNOWN_AT, READ_AT], kind="stable")
    groups = ordered.groupby(KEY, sort=False)
    found: pd.DataFrame = groups[[value]].last()
    found[KNOWN_AT] = groups[KNOWN_AT].first()
    return found


def keys_as_text(columns: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """Return each row's key as one text, missing where a part is; 7 and "7" are one key, 7 and "07" are not."""
    texts = [pc.replace_substring(_text(each), _SEPARATOR, _ESCAPED) for each in columns]
    return texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, _SEPARATOR)


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _text(column.cast(kind.value_type))
    if pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        text = column.cast(pa.string())
        short = pc.less(pc.max(pc.utf8_length(text)), 256).as_py()
        if short is not False:
            return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    return pa.chunked_array([pa.array([key_text(value) for value in column.to_pylist()], pa.string())])


def _frame(table: pa.Table, labels: LabelsSpec, spec: PipelineSpec, read_at: dt.datetime) -> "pd.DataFrame":
    where = f"serving.labels, source {labels.source}"
    target = labels.target or spec.dataset.target
    for name in (*labels.key_columns, target, *filter(None, (labels.as_of,))):
        require_column(table, name, where=where)
    names = list(labels.key_columns)
    if labels.by_request and REQUEST_ROW in table.column_names:
        names.append(REQUEST_ROW)
    for name in names:
        _require_exact(table.column(name), name, where)
    known = pa.array([read_at] * table.num_rows, _MOMENT)
    times = known if labels.as_of is None else _moments(table.column(labels.as_of), labels.as_of, where)
    frame: pd.DataFrame = pa.table(
        {
            KEY: keys_as_text([table.column(name) for name in names]),
            value_column(spec): _values(table.column(target), target, spec, where),
            KNOWN_AT: times,
            READ_AT: known,
            **{name: _text(table.column(name)) for name in labels.key_columns},
        }
    ).to_pandas()
    return frame


def _new_versions(known: "pd.DataFrame", usable: "pd.DataFrame", value: str, *, by_time: bool) -> "pd.DataFrame":
    """Return the versions that say something new: of a key, or where the source has times of a key at a time."""
    by = [KEY, KNOWN_AT] if by_time else [KEY]
    newest = known.sort_values([KNOWN_AT, READ_AT], kind="stable").drop_duplicates(by, keep="last")
    beside = usable[by].merge(newest[[*by, value]], on=by, how="left")[value]
    same = beside.to_numpy() == usable[value].to_numpy()
    new: pd.DataFrame = usable[~same]
    return new


def _values(column: pa.ChunkedArray, name: str, spec: PipelineSpec, where: str) -> pa.ChunkedArray:
    """Return labels as the log has predictions: classes as text, numbers as float64."""
    if spec.task.is_classification:
        return pa.chunked_array([pa.array([class_text(value) for value in column.to_pylist()], pa.string())])
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)):
        raise _wrong(name, column.type, "numbers", where)
    numbers = column.cast(pa.float64())
    return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))


def class_text(value: object) -> str | None:
    """Return a class as text, whole numbers alike in every type; None for a missing one."""
    if isinstance(value, float):
        return None if value != value else str(int(value)) if value.is_integer() else str(value)  # noqa: PLR0124 - NaN
    return None if value is None else str(value)


def _moments(column: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    """Return times in UTC; dates begin at midnight UTC, and times without a zone are UTC."""
    if not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        raise _wrong(name, column.type, "dates or times", where)
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        return column.cast(_MOMENT)
    return pc.assume_timezone(column.cast(pa.timestamp("us")), "UTC")


def _require_exact(column: pa.ChunkedArray, name: str, where: str) -> None:
    """Refuse a key of floats that are no whole numbers, or too large to be exact."""
    if not pa.types.is_floating(column.type):
        return
    largest = pc.max(pc.abs(column.cast(pa.float64()))).as_py()
    whole = pc.all(pc.equal(column, pc.round(column))).as_py()
    if whole is False or (largest is not None and largest >= _EXACT_FLOATS):
        raise _wrong(name, column.type, "whole numbers below 2^53, texts or times, which are exact", where)


def _wrong(name: str, found: pa.DataType, expected: str, where: str) -> DataContractError:
    return DataContractError(
        f"the column '{name}' of the labels has the wrong type",
        where=where,
        found=str(found),
        expected=expected,
        remedy="correct the labels, or name another column in serving.labels",
    )
