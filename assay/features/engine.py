"""The queries of compiled steps, computed in a confined process: rows out, rows dropped, or the row that fails."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from assay.expressions.language import locked_connection
from assay.features.compiling import BEFORE, ROW, Layer, first_line, joined_name, nested, quoted
from assay.reading.confined import MIB
from assay.reading.files import mapped_table

if TYPE_CHECKING:
    import duckdb

ROWS, FEATURES, SPILL = "rows", "features", "spill"
"""Names in the folder of a request: the rows, the result, and what exceeds the memory."""
_BATCH_ROWS = 1 << 17
_SOURCE = "source_rows"
_SHARE_OF_MEMORY = 0.4
"""What DuckDB itself takes of the memory; the rest is the interpreter's, Arrow's batches, the threads' stacks and what
allocators keep."""
_MOST_THREADS = 8


@dataclass(frozen=True, slots=True)
class Failure:
    """A row for which a step cannot be computed.

    Attributes:
        step: number of the step.
        column: that it makes; empty for a condition.
        row: 0-based number of the source's row; None where other rows matter as well.
        text: what DuckDB says; it may quote values.
    """

    step: int
    column: str
    row: int | None
    text: str


class RowFailure(Exception):  # noqa: N818 - becomes an error where the rows' names are known
    """A step cannot be computed for a row."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


def computed(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a request: write the rows that result, and return how many stay after each condition, or the failure."""
    import duckdb

    folder = Path(request["folder"])
    layers = [Layer(**{**each, "parts": tuple(each["parts"])}) for each in request["layers"]]
    memory = int(request["confinement"]["memory_bytes"] * _SHARE_OF_MEMORY) // MIB
    threads = 1 if any(layer.ordered for layer in layers) else min(request["threads"], _MOST_THREADS)
    with (
        pa.memory_map(str(folder / ROWS)) as file,
        engine_connection(memory_limit=f"{memory}MiB", threads=threads, temp_directory=str(folder / SPILL)) as found,
    ):
        rows = pa.ipc.open_file(file).read_all()
        for name, path in request["tables"].items():
            found.register(joined_name(name), mapped_table(Path(path)))
        try:
            return {"stay": run(found, layers, rows, folder / FEATURES, request["absent"], request["wanted"])}
        except duckdb.OutOfMemoryException:
            return {"limit": "memory"}
        except RowFailure as row:
            return {"failure": asdict(row.failure)}


def engine_connection(**settings: str | int) -> "duckdb.DuckDBPyConnection":
    """Return a locked connection in which a division by zero is an error, also of fractions."""
    return locked_connection(ieee_floating_point_ops="false", **settings)


def run(
    connection: "duckdb.DuckDBPyConnection",
    layers: Sequence[Layer],
    rows: pa.Table,
    target: Path,
    absent: Mapping[str, str] = MappingProxyType({}),
    wanted: Sequence[str] | None = None,
) -> list[list[int]]:
    """Write the rows that result as an Arrow file, batch by batch and in order.

    Args:
        connection: of `engine_connection`, with the joined sources.
        layers: from the innermost.
        rows: of the source.
        target: the file.
        absent: DuckDB's type of each column that the rows lack, as no layer computes with it.
        wanted: the columns that are written; all unless given.

    Returns:
        For each layer with conditions the numbers of rows that stay after each condition.

    Raises:
        RowFailure: a step cannot be computed for a row.
        duckdb.OutOfMemoryException: the memory does not suffice.
    """
    stay: list[list[int]] = []
    parts = list(_parts_of(layers))
    lacking = dict(absent)
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        written = target if is_last else target.with_name(f"{target.name}-{number}")
        source = _Source(connection, rows, lacking)
        lacking = {name: absent[old] for name, old in part[-1].columns.items() if old and old in absent} if part else {}
        columns = ", ".join(map(quoted, wanted)) if is_last and wanted is not None else _all_but(lacking)
        stay += _run(source, part, columns, written)
        rows = mapped_table(written)
    return stay


def _all_but(names: Iterable[str]) -> str:
    left_out = ", ".join(map(quoted, names))
    return f"* EXCLUDE ({left_out})" if left_out else "*"


@dataclass(frozen=True, slots=True)
class _Source:
    """The rows that a query reads.

    Attributes:
        connection: of `engine_connection`.
        rows: as they are handed over.
        absent: DuckDB's type of each further column; to compute with one is an error.
    """

    connection: "duckdb.DuckDBPyConnection"
    rows: pa.Table
    absent: Mapping[str, str]

    @property
    def query(self) -> str:
        """The rows as a table of SQL."""
        lacking = (
            f"CAST(error('not handed over') AS {dtype}) AS {quoted(name)}" for name, dtype in self.absent.items()
        )
        return f"(SELECT {', '.join(('*', *lacking))} FROM {_SOURCE})"

    @contextmanager
    def registered(self, start: int = 0, length: int | None = None) -> Iterator[None]:
        """Let queries read the rows, or some of them."""
        self.connection.register(_SOURCE, self.rows.slice(start, length))
        try:
            yield
        finally:
            self.connection.unregister(_SOURCE)


def _parts_of(layers: Sequence[Layer]) -> Iterator[list[Layer]]:
    """Yield layers that are one query each: the next one reads rows that are in order again."""
    part: list[Layer] = []
    for layer in layers:
        if layer.ordered and _disorder(part):
            yield part
            part = []
        part.append(layer)
    yield part


def _disorder(layers: Sequence[Layer]) -> bool:
    return any(layer.disorders for layer in layers)


def _run(source: _Source, layers: Sequence[Layer], columns: str, target: Path) -> list[list[int]]:
    import duckdb

    try:
        with source.registered():
            order = f" ORDER BY {quoted(ROW)}" if _disorder(layers) else ""
            query = f"SELECT {columns} FROM (\n{nested(layers, source.query)}\n){order}"
            written = _write(source.connection, query, target)
            return list(_staying(source, layers, written))
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


def _staying(source: _Source, layers: Sequence[Layer], written: int) -> Iterator[list[int]]:
    """Yield the rows that stay after each condition; the last condition of all leaves the rows that were written.

    The conditions that follow each other are counted by one query over the columns that they need.
    """
    rows = source.rows.num_rows
    last = max((number for number, layer in enumerate(layers) if layer.conditions), default=BEFORE)
    for number, layer in enumerate(layers):
        if not layer.conditions:
            continue
        if number == last and len(layer.conditions) == 1:
            yield [written]
            return
        before = nested(layers[:number], source.query)
        dropped = _dropped(source.connection, list(layer.conditions.values()), before)
        stay = []
        for count in dropped:
            rows -= count
            stay.append(rows)
        yield stay


def _dropped(connection: "duckdb.DuckDBPyConnection", conditions: Sequence[str], rows: str) -> list[int]:
    """Return how many rows each condition is the first to drop; a later one is not computed for them."""
    cases = " ".join(
        f"WHEN NOT coalesce((\n{condition}\n), false) THEN {place}" for place, condition in enumerate(conditions)
    )
    counted = f"SELECT reason, count(*) FROM (SELECT CASE {cases} END AS reason FROM (\n{rows}\n)) GROUP BY reason"
    found = dict(connection.execute(counted).fetchall())
    return [found.get(place, 0) for place in range(len(conditions))]


def failure(source: _Source, layers: Sequence[Layer], error: Exception) -> Failure:
    """Return the step, column and first row that fail: the layers are tried in order, then halves of the rows."""
    for number, query, column in _parts(layers, source.query):
        with source.registered():
            found = _error_of(source.connection, query)
        if found is not None:
            row = _first_failing(source, query)
            if row is not None and ROW in source.rows.column_names:
                row = int(source.rows.column(ROW)[row].as_py())
            return Failure(layers[number].step, column, row, first_line(found))
    return Failure(BEFORE, "", None, first_line(error))


def _parts(layers: Sequence[Layer], rows: str) -> Iterator[tuple[int, str, str]]:
    """Yield a query for each column and condition, which computes it and what it needs; with its layer's number."""
    for number, layer in enumerate(layers):
        below = nested(layers[: number + 1], rows)
        for column in layer.made:
            # a count might be answered without the value
            yield number, f"SELECT bit_xor(hash({quoted(column)})) FROM (\n{below}\n)", column
        if layer.conditions:
            yield number, f"SELECT count(*) FROM (\n{below}\n)", ""


def _error_of(connection: "duckdb.DuckDBPyConnection", query: str) -> Exception | None:
    import duckdb

    try:
        connection.execute(query).fetchall()
    except duckdb.Error as error:
        return error
    return None


def _first_failing(source: _Source, query: str) -> int | None:
    start, length = 0, source.rows.num_rows
    while length > 1:
        half = length // 2
        with source.registered(start, half):
            fails = _error_of(source.connection, query) is not None
        start, length = (start, half) if fails else (start + half, length - half)
    with source.registered(start, length):
        return start if _error_of(source.connection, query) is not None else None


if __name__ == "__main__":
    from assay.reading.confined import serve

    serve(computed)
