"""The queries of compiled steps, computed in a confined process: rows out, rows dropped, or the row that fails."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from assay.features.compiling import BEFORE, EARLIER, GROUP, ROW, Layer, joined_name, nested, quoted
from assay.features.first_failure import Failure, RowFailure, Source, engine_connection, failure
from assay.reading.confined import MIB
from assay.reading.files import mapped_table

if TYPE_CHECKING:
    import duckdb

ROWS, FEATURES, SPILL = "rows", "features", "spill"
"""Names in the folder of a request: of rows and results, with a number each, and of what exceeds the memory."""
_BATCH_ROWS = 1 << 17
_SHARE_OF_MEMORY = 0.4
"""What DuckDB itself takes of the memory; the rest is the interpreter's, Arrow's batches, the threads' stacks and what
allocators keep."""
_MOST_THREADS = 8


def computed(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a request: write the rows that result of each table, and return how many stay after each condition.

    A failure is returned in their place.
    """
    layers = [Layer(**{**each, "parts": tuple(each["parts"])}) for each in request["layers"]]
    tables = {name: mapped_table(Path(path)) for name, path in request["tables"].items()}
    memory_mb = request["confinement"]["memory_bytes"] // MIB
    threads = 1 if any(layer.ordered for layer in layers) else min(request["threads"], _MOST_THREADS)
    with engine_with(tables, memory_mb, Path(request["folder"], SPILL), threads) as connection:
        return answer_of(connection, request, layers)


def engine_with(
    tables: Mapping[str, pa.Table], memory_mb: int, spill: Path | None = None, threads: int = 1
) -> "duckdb.DuckDBPyConnection":
    """Return a connection that has the joined sources.

    Args:
        tables: the joined sources by name.
        memory_mb: of the process.
        spill: folder for what exceeds the memory; without one that is an error.
        threads: of the connection.
    """
    memory = f"{int(memory_mb * _SHARE_OF_MEMORY)}MiB"
    folder = "" if spill is None else str(spill)
    connection = engine_connection(memory_limit=memory, threads=threads, temp_directory=folder)
    for name, table in tables.items():
        connection.register(joined_name(name), table)
    return connection


def answer_of(
    connection: "duckdb.DuckDBPyConnection", request: Mapping[str, Any], layers: Sequence[Layer]
) -> dict[str, Any]:
    """Answer a request on a connection of `engine_with`; see `computed`."""
    import duckdb

    folder, stay = Path(request["folder"]), []
    try:
        for number in range(request["runs"]):
            rows, target = mapped_table(folder / f"{ROWS}-{number}"), folder / f"{FEATURES}-{number}"
            stay.append(
                run(connection, layers, rows, target, request["absent"], request["wanted"], first=request["first"])
            )
    except duckdb.OutOfMemoryException:
        return {"limit": "memory"}
    except RowFailure as row:
        return {"failure": asdict(row.failure)}
    return {"stay": stay}


def run(
    connection: "duckdb.DuckDBPyConnection",
    layers: Sequence[Layer],
    rows: pa.Table,
    target: Path,
    absent: Mapping[str, str] = MappingProxyType({}),
    wanted: Sequence[str] | None = None,
    *,
    first: int = 0,
) -> list[list[int]]:
    """Write the rows that result as an Arrow file, batch by batch and in order.

    Args:
        connection: of `engine_connection`, with the joined sources.
        layers: from the innermost.
        rows: of the source.
        target: the file.
        absent: DuckDB's type of each column that the rows lack, as no layer computes with it.
        wanted: the columns that are written; all unless given.
        first: number of the partition's first row; those before it are of earlier partitions, and are not counted.

    Returns:
        For each layer with conditions the numbers of rows that stay after each condition.

    Raises:
        RowFailure: a step cannot be computed for a row.
        duckdb.OutOfMemoryException: the memory does not suffice.
    """
    stay: list[list[int]] = []
    lacking = dict(absent)
    for number, part in enumerate(_parts_of(layers)):
        origins = _origins(part)
        source = Source(connection, rows, lacking)
        lacking = {name: lacking[old] for name, old in origins.items() if old is not None and old in lacking}
        written = target.with_name(f"{target.name}.{number}")
        if any(layer.conditions or layer.ordered for layer in part):
            stay += _run(source, part, _all_but(lacking), written, first)
            rows = mapped_table(written)
        else:
            rows = _beside(source, part, {n: old for n, old in origins.items() if n not in lacking}, written)
    with pa.ipc.new_file(target, (kept := rows if wanted is None else rows.select(wanted)).schema) as out:
        out.write_table(kept, _BATCH_ROWS)
    return stay


def _origins(layers: Sequence[Layer]) -> dict[str, str | None]:
    """Return the columns after some layers, each with its name before them; None for what they compute."""
    found: dict[str, str | None] | None = None
    for layer in layers:
        below = found
        found = {name: old if below is None or old is None else below.get(old) for name, old in layer.columns.items()}
    return found or {}


def _beside(source: Source, layers: Sequence[Layer], origins: Mapping[str, str | None], target: Path) -> pa.Table:
    """Return the rows with what some layers compute, which keep each row: no other column enters the query.

    Raises:
        RowFailure: a row cannot be computed, or is there more than once.
    """
    rows = source.rows
    hidden = [name for name in (ROW, GROUP) if name in rows.column_names]
    computed = [name for name, old in origins.items() if old is None]
    made = rows
    if computed:
        columns = ", ".join(map(quoted, (*computed, *hidden[:1])))
        _run(source, layers, columns, target)
        made = mapped_table(target)
        if made.num_rows != rows.num_rows or (hidden and not made.column(ROW).equals(rows.column(ROW))):
            raise RowFailure(Failure(layers[0].step, "", None, "the step gives several rows for one, or none"))
    found = [made.column(name) if old is None else rows.column(old) for name, old in origins.items()]
    return pa.table([*found, *(rows.column(name) for name in hidden)], names=[*origins, *hidden])


def _all_but(names: Iterable[str]) -> str:
    left_out = ", ".join(map(quoted, names))
    return f"* EXCLUDE ({left_out})" if left_out else "*"


def _parts_of(layers: Sequence[Layer]) -> Iterator[list[Layer]]:
    """Yield layers that are one query each; one that disorders the rows begins a query that keeps each row."""
    part: list[Layer] = []
    for layer in layers:
        if layer.disorders or (_disorder(part) and (layer.conditions or layer.ordered)):
            yield from ([part] if part else [])
            part = []
        part.append(layer)
    yield from ([part] if part else [])


def _disorder(layers: Sequence[Layer]) -> bool:
    return any(layer.disorders for layer in layers)


def _run(source: Source, layers: Sequence[Layer], columns: str, target: Path, first: int = 0) -> list[list[int]]:
    import duckdb

    try:
        with source.registered():
            order = f" ORDER BY {quoted(ROW)}" if _disorder(layers) else ""
            query = f"SELECT {columns} FROM (\n{nested(layers, source.query)}\n){order}"
            written = _write(source.connection, query, target)
            return list(_staying(source, layers, written, first))
    except duckdb.OutOfMemoryException:
        raise
    except (duckdb.Error, pa.ArrowException, OSError) as error:  # those of Arrow's stream hide DuckDB's class
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if _OUT_OF_MEMORY in str(error):
            raise duckdb.OutOfMemoryException(str(error)) from error
        raise RowFailure(failure(source, layers, error)) from error


_OUT_OF_MEMORY = "Out of Memory Error"


def _write(connection: "duckdb.DuckDBPyConnection", query: str, target: Path) -> int:
    count = 0
    with connection.sql(query).to_arrow_reader(_BATCH_ROWS) as reader, pa.ipc.new_file(target, reader.schema) as out:
        for batch in reader:
            count += batch.num_rows
            out.write_batch(batch)
    return count


def _staying(source: Source, layers: Sequence[Layer], written: int, first: int) -> Iterator[list[int]]:
    """Yield the rows that stay after each condition, and after each SELECT that may drop some.

    The last of all leaves the rows that were written.

    The conditions that follow each other are counted by one query over the columns that they need.
    """
    rows = source.rows.num_rows - _earlier_rows(source.rows, first)
    counts_all = rows == source.rows.num_rows
    last = max((n for n, layer in enumerate(layers) if layer.conditions or layer.drops), default=BEFORE)
    for number, layer in enumerate(layers):
        if not (layer.conditions or layer.drops):
            continue
        if number == last and len(layer.conditions) <= 1 and (counts_all or EARLIER in layer.conditions):
            yield [written]
            return
        if layer.drops:
            after = nested(layers[: number + 1], source.query)
            [[rows]] = source.connection.execute(f"SELECT count(*) FROM (\n{after}\n)").fetchall()
            yield [rows]
            continue
        before = nested(layers[:number], source.query)
        own = before if counts_all else f"SELECT * FROM (\n{before}\n) WHERE {quoted(ROW)} >= {first}"
        dropped = _dropped(source.connection, list(layer.conditions.values()), own)
        stay = []
        for count in dropped:
            rows -= count
            stay.append(rows)
        yield stay


def _earlier_rows(rows: pa.Table, first: int) -> int:
    """Return how many rows are of earlier partitions."""
    return pc.sum(pc.less(rows.column(ROW), first)).as_py() or 0 if first else 0


def _dropped(connection: "duckdb.DuckDBPyConnection", conditions: Sequence[str], rows: str) -> list[int]:
    """Return how many rows each condition is the first to drop; a later one is not computed for them."""
    cases = " ".join(
        f"WHEN NOT coalesce((\n{condition}\n), false) THEN {place}" for place, condition in enumerate(conditions)
    )
    counted = f"SELECT reason, count(*) FROM (SELECT CASE {cases} END AS reason FROM (\n{rows}\n)) GROUP BY reason"
    found = dict(connection.execute(counted).fetchall())
    return [found.get(place, 0) for place in range(len(conditions))]


if __name__ == "__main__":
    from assay.reading.confined import serve

    serve(computed)
