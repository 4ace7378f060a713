"""The source's rows of earlier partitions, as far as windows reach into them.

They come before the rows of the partition while steps are computed, up to the last window that needs them, and are
dropped there: none is ever a row of the feature set, and none is counted.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.counting import counted
from assay.data.dataset import Dataset
from assay.data.source_rows import partition_span, wall_times
from assay.errors import DataContractError, FeatureStepError
from assay.features.compiling import ROW
from assay.features.first_failure import engine_connection
from assay.features.joined_tables import without_nan
from assay.features.parsing import StepProblem
from assay.features.plan import compiled
from assay.features.reach import Reach, earlier_keys, keys_between, reach_of
from assay.specs.dataset import PartitionsSpec
from assay.specs.features import FeaturesSpec
from assay.specs.other_sources import microseconds
from assay.specs.pipeline import PipelineSpec

Reader: TypeAlias = Callable[[str, Callable[[str], bool]], pa.Table | None]
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class EarlierPartitions:
    """Where the rows of earlier partitions come from.

    Attributes:
        key: the partition whose feature set is made; None of rows that are only predicted.
        read: returns the source's rows of a partition, with those of its columns that are wanted; None where it was not
            made.
    """

    key: str | None
    read: Reader


@dataclass(frozen=True, slots=True)
class History:
    """Rows of earlier partitions.

    Attributes:
        table: the rows, numbered from 0, in the order of their partitions; of the columns that windows need.
        first: number of the partition's first row.
        reach: of the windows.
        read: the partitions that were read, oldest first.
        missing: the partitions that were not made.
        since: the windows are complete from this moment on, by the clock of the partitions' zone; None where all are.
        outside: rows whose time is not of their partition.
    """

    table: pa.Table
    first: int
    reach: Reach
    read: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    since: dt.datetime | None = None
    outside: int = 0

    def before(self, time: str, moment: "pa.Scalar[Any]") -> "History":
        """Return the rows that were known before a moment; all where the column of times is not among them."""
        if time not in self.table.column_names:
            return self
        known = pc.fill_null(pc.less(self.table.column(time), moment), False)
        return replace(self, table=self.table.filter(known))

    def in_front_of(self, rows: pa.Table, where: str) -> pa.Table:
        """Return the rows of a partition behind these; a column that either lacks is missing there.

        Raises:
            DataContractError: a column has another type in earlier partitions.
        """
        for field in self.table.schema:
            if field.name in rows.column_names and rows.schema.field(field.name).type != field.type:
                raise DataContractError(
                    f"column '{field.name}' has another type in earlier partitions",
                    where=f"{where}, earlier partitions",
                    found=str(field.type),
                    expected=str(rows.schema.field(field.name).type),
                    remedy="materialise raw_dataset of the earlier partitions again, under the present schema",
                )
        names = [name for name in self.table.column_names if name in rows.column_names]
        lacking = [field for field in self.table.schema if field.name not in rows.column_names]
        for field in lacking:
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
        earlier = self.table.select([*names, *(field.name for field in lacking)])
        return pa.concat_tables([earlier, rows], promote_options="default").select(rows.column_names)


def history_of(
    source: Dataset,
    spec: PipelineSpec,
    earlier: EarlierPartitions | None,
    *,
    labelled: bool,
    where: str,
    tables: Mapping[str, pa.Schema] = MappingProxyType({}),
) -> History | None:
    """Return the rows of earlier partitions into which the windows of a partition reach; None where none does.

    Args:
        source: the partition's rows.
        spec: the pipeline.
        earlier: where the rows come from.
        labelled: whether the partition's rows have a target.
        where: asset and partition, for errors.
        tables: the schemas of the joined sources.

    Raises:
        FeatureStepError: a partition is missing, and the file requires it; or rows to predict have no times.
        DataContractError: a partition lacks a column.
    """
    features, partitions = spec.features, spec.dataset.partitions
    reach = reach_of(features, partitions)
    if features is None or earlier is None or not reach.microseconds:
        return None
    time = _time_of_rows(source.table, spec, reach, where) if earlier.key is None else None
    start = _first_moment(source.table.column(time), partitions) if time is not None else None
    if earlier.key is not None:
        keys = earlier_keys(partitions, earlier.key, reach)
    else:
        keys = _keys_before(partitions, start, reach)
    columns = _columns_needed(source.table, spec, features, reach, tables) if labelled else []
    wanted = set(columns).__contains__ if labelled else _named_in(features, spec)
    found = {key: earlier.read(key, wanted) for key in keys}
    missing = tuple(key for key, table in found.items() if table is None and not _holds(partitions, key, start))
    _require_made(features, missing, where)
    tables = {key: table for key, table in found.items() if table is not None}
    outside = sum(_outside(table, partitions, key, reach) for key, table in tables.items())
    rows = _from_the_needed(_joined_rows(tables, columns, where), source.table, reach)
    if time is not None and rows.num_rows:
        begin = pc.min(_micros(source.table.column(time)))
        rows = rows.filter(pc.fill_null(pc.less(_micros(rows.column(time)), begin), False))
    elif earlier.key is not None:
        outside += _outside(source.table, partitions, earlier.key, reach)
    numbered = without_nan(rows).append_column(ROW, pa.array(np.arange(rows.num_rows)))
    since = _complete_since(partitions, keys, missing)
    return History(numbered, max(rows.num_rows, 1), reach, tuple(tables), missing, since, outside)


def notes_of(history: History | None, table: pa.Table, spec: PipelineSpec) -> dict[str, str]:
    """Return what is said of earlier partitions, and of each window that does not see all rows it asks for."""
    features, partitions = spec.features, spec.dataset.partitions
    if features is None or partitions.by == "none":
        return {}
    notes = dict(_notes_of_windows(history, table, features, partitions))
    if history is None:
        return notes
    text = f"{counted(history.table.num_rows, 'row')} of {', '.join(history.read)}" if history.read else "none is read"
    text += f"; {len(history.missing):,} missing: {_some(history.missing)}" if history.missing else ""
    if history.outside:
        outside = counted(history.outside, "row has", "rows have")
        text += f"; {outside} a time outside their partition, so that windows may miss such rows"
    return {"earlier partitions": text, **notes}


def _notes_of_windows(
    history: History | None, table: pa.Table, features: FeaturesSpec, partitions: PartitionsSpec
) -> Iterator[tuple[str, str]]:
    alone = reach_of(features, partitions).alone
    for number, step in enumerate(features.steps):
        asked = step.aggregate
        if asked is None or asked.time is None:
            continue
        is_short = history is None or number in alone
        times = table.column(asked.time) if asked.time in table.column_names else None
        if times is not None and not pa.types.is_temporal(times.type):
            times = None
        name = f"window of {features.title(number)}"
        if is_short:
            why = f" ({alone[number]})" if number in alone else ""
            text = f"it sees the rows of this partition alone{why}"
            if times is not None and asked.over is not None:
                short = _earlier_than(times, (pc.min(_micros(times)).as_py() or 0) + microseconds(asked.over))
                are = "is" if short == 1 else "are"
                text += f": {short:,} of {counted(table.num_rows, 'row')} {are} less than {asked.over} after its first"
            yield name, text
        elif history is not None and history.since is not None and times is not None and asked.over is not None:
            begin = pa.scalar(history.since, pa.timestamp("us")).cast(pa.int64()).as_py()
            short = _earlier_than(wall_times(times, partitions.timezone), begin + microseconds(asked.over))
            look = "looks" if short == 1 else "look"
            rows = f"{short:,} of {counted(table.num_rows, 'row')}"
            text = f"{rows} {look} back to before {history.since}, where no rows are"
            yield from [(name, text)] if short else []


def _earlier_than(times: pa.ChunkedArray, moment: int) -> int:
    return pc.sum(pc.less(_micros(times), moment)).as_py() or 0


def _micros(times: pa.ChunkedArray) -> pa.ChunkedArray:
    zone = getattr(times.type, "tz", None)
    return times.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())


def _some(keys: Sequence[str]) -> str:
    return ", ".join(keys[:_SHOWN]) + (" ..." if len(keys) > _SHOWN else "")


def _time_of_rows(table: pa.Table, spec: PipelineSpec, reach: Reach, where: str) -> str:
    """Return the column by which rows that are only predicted are placed in time.

    Raises:
        FeatureStepError: they have none.
    """
    names = [spec.dataset.partitions.column, *sorted(reach.times)]
    for name in names:
        times = table.column(name) if name in table.column_names else None
        if times is not None and pa.types.is_temporal(times.type) and times.null_count < len(times):
            return str(name)
    raise FeatureStepError(
        "the rows to predict have no times, so that no earlier rows can be found for the windows",
        where=f"{where}, features",
        expected=f"a column of times, {' or '.join(name for name in names if name)}",
        remedy="add the column, or set features.earlier_partitions to ignore",
    )


def _first_moment(times: pa.ChunkedArray, partitions: PartitionsSpec) -> dt.datetime:
    found = pc.min(wall_times(times, partitions.timezone).cast(pa.timestamp("us"), safe=False)).as_py()
    assert isinstance(found, dt.datetime)  # noqa: S101 - there is a time
    return found


def _keys_before(partitions: PartitionsSpec, start: dt.datetime | None, reach: Reach) -> tuple[str, ...]:
    if start is None:
        return ()
    instant = dt.timedelta(microseconds=1)
    return keys_between(partitions, start - dt.timedelta(microseconds=reach.microseconds), start + instant)


def _holds(partitions: PartitionsSpec, key: str, moment: dt.datetime | None) -> bool:
    """Whether a partition holds the first row to predict: it need not be made yet."""
    return moment is not None and partition_span(partitions, key)[1] > moment


def _named_in(features: FeaturesSpec, spec: PipelineSpec) -> Callable[[str], bool]:
    """Return whether the steps may name a column: what serves the target is there in earlier partitions alone."""
    text = " ".join((features.model_dump_json(), features.time or "", spec.dataset.partitions.column or "")).lower()
    return lambda name: name.lower() in text


def _columns_needed(
    table: pa.Table, spec: PipelineSpec, features: FeaturesSpec, reach: Reach, tables: Mapping[str, pa.Schema]
) -> list[str]:
    """Return the source's columns that the last window into earlier partitions, and steps before it, compute with."""
    names = {name.lower() for name in (features.time, spec.dataset.partitions.column, *reach.times) if name}
    with engine_connection() as connection:
        schema = without_nan(table.schema.empty_table()).append_column(ROW, pa.array([], pa.int64())).schema
        try:
            numbers = range(reach.last + 1)
            plan = compiled(connection, features, schema, spec.dataset.target, numbers=numbers, tables=tables)
        except StepProblem:  # of the whole plan, which names it
            return list(table.column_names)
    return [name for name in table.column_names if name not in plan.absent or name.lower() in names]


def _require_made(features: FeaturesSpec, missing: Sequence[str], where: str) -> None:
    if missing and features.earlier_partitions == "require":
        raise FeatureStepError(
            "windows reach into earlier partitions that were not made",
            where=f"{where}, features.earlier_partitions",
            found=_some(missing),
            remedy="materialise raw_dataset of these partitions first, or set it to read, which counts missing ones",
        )


def _joined_rows(tables: "dict[str, pa.Table]", columns: Sequence[str], where: str) -> pa.Table:
    """Return the rows of all partitions, of which none lacks a column."""
    for key, table in tables.items():
        lacking = [name for name in columns if name not in table.column_names]
        if lacking:
            raise DataContractError(
                f"the rows of an earlier partition have no column '{lacking[0]}'",
                where=f"{where}, earlier partition {key}",
                found=f"columns {', '.join(table.column_names)}",
                remedy="materialise its raw_dataset again, under the present schema",
            )
    plain = [table.replace_schema_metadata() for table in tables.values()]
    try:
        return pa.concat_tables(plain, promote_options="default") if plain else pa.table({})
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataContractError(
            "earlier partitions have columns of different types",
            where=f"{where}, earlier partitions",
            found=str(error).partition("\n")[0],
            remedy="materialise raw_dataset of the earlier partitions again, under the present schema",
        ) from error


def _from_the_needed(rows: pa.Table, own: pa.Table, reach: Reach) -> pa.Table:
    """Return the rows that are late enough to count for any row of the partition, where that can be seen."""
    time = next(iter(reach.times)) if len(reach.times) == 1 else None
    if time is None or time not in own.column_names or time not in rows.column_names or not rows.num_rows:
        return rows
    times, known = own.column(time), rows.column(time)
    if not pa.types.is_temporal(known.type) or known.type != times.type or times.null_count == len(times):
        return rows
    return rows.filter(pc.greater_equal(_micros(known), pc.min(_micros(times)).as_py() - reach.microseconds))


def _outside(table: pa.Table, partitions: PartitionsSpec, key: str, reach: Reach) -> int:
    """Return how many rows have a window's time outside their partition."""
    start, end = partition_span(partitions, key)
    count = 0
    for name in reach.times - {partitions.column}:
        times = table.column(name) if name in table.column_names else None
        if times is not None and pa.types.is_temporal(times.type):
            moments = wall_times(times, partitions.timezone).cast(pa.timestamp("us"), safe=False)
            early = pc.less(moments, pa.scalar(start, moments.type))
            late = pc.greater_equal(moments, pa.scalar(end, moments.type))
            count = max(count, pc.sum(pc.or_(early, late)).as_py() or 0)
    return count


def _complete_since(partitions: PartitionsSpec, keys: Sequence[str], missing: Sequence[str]) -> dt.datetime | None:
    """Return the moment from which on all rows are there; None where it is early enough for every window."""
    if missing:
        return partition_span(partitions, missing[-1])[1]
    first = partition_span(partitions, str(partitions.start))[0]
    start = partition_span(partitions, keys[0])[0] if keys else first
    return first if start <= first else None
