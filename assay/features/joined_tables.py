"""The joined sources as the steps read them: each key at most once, in files that several runs of the steps share."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from assay.counting import counted
from assay.data.schema import require_column
from assay.errors import FeatureStepError
from assay.expressions.language import nan_as_null
from assay.reading.files import mapped_table
from assay.scratch import scratch_folder
from assay.specs.features import FeaturesSpec
from assay.specs.other_sources import Join

Joined: TypeAlias = Mapping[str, pa.Table]
"""The rows of each joined source, by its name."""
NONE_JOINED: Joined = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class JoinedTables:
    """Joined sources, written once.

    Attributes:
        schemas: by the name of each source.
        files: Arrow files of their rows.
    """

    schemas: Mapping[str, pa.Schema]
    files: Mapping[str, Path]


@contextmanager
def written_once(joined: Joined | JoinedTables, features: FeaturesSpec, where: str) -> Iterator[JoinedTables]:
    """Write joined sources to a folder that lasts as long as the context, unless they are written already.

    Raises:
        FeatureStepError: a row would find several rows of a source.
    """
    if isinstance(joined, JoinedTables):
        yield joined
        return
    with scratch_folder("joined") as name:
        schemas, files = {}, {}
        for number, (table, plain) in enumerate(with_keys_once(joined, features, where)):
            schemas[table], files[table] = plain.schema, Path(name, str(number)).absolute()
            write_arrow(plain, files[table])
        yield JoinedTables(schemas, files)


def with_keys_once(joined: Joined, features: FeaturesSpec, where: str) -> Iterator[tuple[str, pa.Table]]:
    """Yield each joined source by name, with null for NaN, after its keys were checked.

    Raises:
        FeatureStepError: a row would find several rows of a source.
    """
    for table, rows in joined.items():
        plain = without_nan(rows.replace_schema_metadata())
        for join in features.joins:
            if join.table == table:
                require_one_row_each(join, plain, where)
        yield table, plain


def times_of(features: FeaturesSpec, tables: JoinedTables) -> dict[str, str]:
    """Return the column of times of each table that a SELECT reads and that has one.

    Raises:
        MissingColumnError: a table lacks the one that the file names.
    """
    found = {}
    for each in features.tables:
        schema = tables.schemas[each.table]
        moments = [field.name for field in schema if pa.types.is_timestamp(field.type) or pa.types.is_date(field.type)]
        if isinstance(each.time, str):
            require_column(schema.empty_table(), each.time, where=f"features.tables, {each.table}, time")
            found[each.table] = each.time
        elif each.time is None and len(moments) == 1:
            found[each.table] = moments[0]
    return found


@contextmanager
def known_before(
    tables: JoinedTables, times: Mapping[str, str], moment: "pa.Scalar[Any] | None"
) -> Iterator[JoinedTables]:
    """Write the rows of tables that were known before a moment; others stay as they are, so do those without a time."""
    if moment is None or not times:
        yield tables
        return
    with scratch_folder("known") as name:
        files = dict(tables.files)
        for number, (table, time) in enumerate(times.items()):
            rows = mapped_table(tables.files[table])
            later = pc.greater_equal(_microseconds(rows.column(time)), _microseconds(pa.chunked_array([[moment]]))[0])
            files[table] = Path(name, str(number)).absolute()
            write_arrow(rows.filter(pc.invert(pc.fill_null(later, False))), files[table])
        yield JoinedTables(tables.schemas, files)


def _microseconds(moments: pa.ChunkedArray) -> pa.ChunkedArray:
    zone = getattr(moments.type, "tz", None)
    return moments.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())


def without_nan(table: pa.Table) -> pa.Table:
    """Return a table in which missing numbers are null."""
    for position, name in enumerate(table.column_names):
        column = table.column(name)
        plain = nan_as_null(column)
        table = table if plain is column else table.set_column(position, name, plain)
    return table


def write_arrow(table: pa.Table, path: Path) -> None:
    """Write a table as an Arrow file."""
    with pa.ipc.new_file(path, table.schema) as out:
        out.write_table(table)


def require_one_row_each(join: Join, table: pa.Table, where: str) -> None:
    """Refuse another source in which a key, or a key and a time, has several rows.

    Raises:
        FeatureStepError: names some of the keys.
    """
    names = [*join.keys.values(), *([join.as_of.right] if join.as_of is not None else [])]
    if not set(names) <= set(table.column_names):
        return  # named by the step itself
    rows_of_keys = table.select(names).group_by(names, use_threads=False).aggregate([([], "count_all")])
    known = pc.greater(rows_of_keys.column("count_all"), 1)
    for name in names:  # what is missing equals nothing
        known = pc.and_(known, pc.is_valid(rows_of_keys.column(name)))
    twice = rows_of_keys.filter(known)
    if twice.num_rows:
        shown = [", ".join(f"{name} = {row[name]}" for name in names) for row in twice.slice(0, 3).to_pylist()]
        raise FeatureStepError(
            f"several rows of {join.table} have one key, so that a row would find more than one",
            where=f"{where}, features: join {join.table}",
            found=f"{counted(twice.num_rows, 'key')}, such as {'; '.join(shown)}",
            expected="at most one row for each key" + (" and time" if join.as_of is not None else ""),
            remedy="add columns to `on`, use `as_of`, or correct the other source",
        )
