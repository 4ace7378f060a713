"""From steps to one DuckDB query: each step adds layers of SELECT around the rows before it.

Columns and types are followed on an empty table, so that a step that does not fit its columns is named before any row
is read. Layers are nested and not joined by common table expressions, which DuckDB would keep in memory.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from assay.errors import AssayError, FeatureStepError, MissingColumnError, did_you_mean
from assay.expressions.queries import Query
from assay.features.lineage import Lineage
from assay.features.parsing import Expressions, StepProblem, place_of
from assay.specs.base import Location
from assay.specs.features import FeatureStep

if TYPE_CHECKING:
    import duckdb

_FLOATS = frozenset({"DOUBLE", "FLOAT"})
BEFORE = -1
"""The number of what is done to the rows before the first step."""


ROW = "__row"
"""The hidden column with the number of the source's row, which steps that see other rows need."""
EARLIER = "of an earlier partition"
"""The reason for which rows of earlier partitions are dropped, once no window needs them; they are never counted."""
GROUP = "__group"
"""The hidden column that says, of rows that group the source's, by a hash which these are."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One SELECT around the rows before it.

    Attributes:
        step: number of the step, from 0.
        parts: the text around the rows; they stand between each two parts.
        made: the columns that it computes.
        conditions: of a filter, by reason, in place of `parts`; a row stays if all are true.
        ordered: whether results depend on the order of the rows before it, and of additions: one thread computes it.
        disorders: whether the rows may be in another order after it.
        drops: whether it may drop rows without a condition, so that those that stay are counted.
        columns: the names that result, each with its name before the layer; None for what the layer computes.
    """

    step: int
    parts: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    conditions: Mapping[str, str] = field(default_factory=dict)
    ordered: bool = False
    disorders: bool = False
    drops: bool = False
    columns: Mapping[str, str | None] = field(default_factory=dict)

    def over(self, rows: str) -> str:
        """Return the SELECT over the rows of a query."""
        if not self.conditions:
            return rows.join(self.parts)
        # one SELECT for each condition, so that none is computed for rows that an earlier one drops
        for condition in self.conditions.values():
            rows = f"SELECT * FROM (\n{rows}\n) WHERE (\n{condition}\n)"
        return rows


def joined_name(name: str) -> str:
    """Return the name of a joined source in queries."""
    return f"joined {name}"


def selecting(columns: str) -> tuple[str, str]:
    """Return the parts of a SELECT of columns."""
    return f"SELECT {columns} FROM (\n", "\n)"


def nested(layers: Iterable[Layer], rows: str) -> str:
    """Return the query of layers around `SELECT * FROM <rows>`."""
    query = f"SELECT * FROM {rows}"
    for layer in layers:
        query = layer.over(query)
    return query


@dataclass
class Compiler:
    """The rows as they are after the steps so far.

    Attributes:
        connection: of `locked_connection`; the table `current_rows` in it has the present columns and no rows.
        expressions: of all steps, parsed.
        queries: the SELECTs of steps, parsed, by the number of the step.
        lineage: of the columns after all steps.
        labelled: whether the rows have a target.
        read_by_name: the joined sources that a SELECT may read.
        types: DuckDB's type by column, in order.
        numbered: whether the rows have the hidden column of row numbers.
        grouped: whether the rows have the hidden column of groups.
        keeps_rows: whether each row is still one of the source's.
        reads: the source's columns that steps compute with.
        carries: whether the source's other columns stay as they are, beside what is computed.
        tables: of the joined sources by name, DuckDB's type by column.
        first: number of the partition's first row; those before it are of earlier partitions.
        alone: numbers of the steps whose windows see the rows of their partition alone.
        predicts: whether the partition's own rows are only predicted, and those before them are labelled.
        has_earlier_rows: whether rows of earlier partitions are still among the rows.
    """

    connection: "duckdb.DuckDBPyConnection"
    expressions: Expressions
    queries: Mapping[int, Query]
    lineage: Lineage
    labelled: bool
    read_by_name: tuple[str, ...] = ()
    types: dict[str, str] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    sources: dict[str, str | None] = field(default_factory=dict)
    numbered: bool = False
    grouped: bool = False
    keeps_rows: bool = True
    reads: set[str] = field(default_factory=set)
    carries: bool = True
    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    first: int = 0
    alone: frozenset[int] = frozenset()
    predicts: bool = False
    has_earlier_rows: bool = False

    def begin(self, schema: pa.Schema) -> None:
        """Take the columns of a source.

        Raises:
            StepProblem: two names differ by case alone, or steps cannot work on a column's type.
        """
        import duckdb

        folded: dict[str, str] = {}
        for name in schema.names:
            other = folded.setdefault(name.lower(), name)
            if other != name:
                raise StepProblem(BEFORE, (), _twins(other, name))
        self.connection.register("source_rows", schema.empty_table())
        try:
            self.connection.execute("CREATE OR REPLACE TEMP TABLE current_rows AS SELECT * FROM source_rows")
        except duckdb.Error as error:
            what = "a column has a type that steps cannot work on"
            raise StepProblem(BEFORE, (), FeatureStepError(what, found=first_line(error))) from error
        finally:
            self.connection.unregister("source_rows")
        self._describe()
        spans = [name for name, dtype in self.types.items() if dtype == "INTERVAL"]
        if spans:
            what = f"column '{spans[0]}' holds spans of time, which steps cannot work on"
            raise StepProblem(BEFORE, (), FeatureStepError(what, remedy="write it as a number where the data are made"))
        self.numbered, self.grouped = ROW in schema.names, GROUP in schema.names
        self.sources = {name: name for name in self.types}

    def add_table(self, name: str, schema: pa.Schema) -> None:
        """Take the columns of a joined source."""
        self.connection.register(joined_name(name), schema.empty_table())
        described = self.connection.execute(f"DESCRIBE SELECT * FROM {quoted(joined_name(name))}").fetchall()
        self.tables[name] = {column: str(dtype) for column, dtype, *_ in described}

    def column(self, number: int, place: Location, name: str) -> str:
        """Return the name, as the rows have it, of a column that a step computes with.

        Raises:
            StepProblem: there is no such column.
        """
        found = self.named(number, place, name)
        origin = self.sources.get(found)
        self.reads |= {origin} if origin is not None else set()
        return found

    def named(self, number: int, place: Location, name: str) -> str:
        """Return the name, as the rows have it, of a column that a step moves and does not compute with.

        Raises:
            StepProblem: there is no such column.
        """
        found = next((each for each in self.types if each.lower() == name.lower()), None)
        if found is None:
            raise StepProblem(number, place, self._missing(name))
        return found

    def read_all(self) -> None:
        """Record that a step may compute with any column, and give any other value under its name."""
        self.carries = False

    def has(self, names: Iterable[str]) -> bool:
        """Whether the rows have all of some columns."""
        present = {name.lower() for name in self.types}
        return all(name.lower() in present for name in names)

    def leaves_out(self, number: int, name: str, needed: Iterable[str]) -> bool:
        """Return whether a column is not made for rows that are only predicted: it is the target or serves it.

        The columns that serve the target are made where the rows have what they need.
        """
        if self.labelled or not self.lineage.of_the_target(number, name):
            return False
        is_target = name.lower() == self.lineage.target.lower()
        left_out = is_target or not self.has(needed)
        self.skipped += [name] if left_out else []
        return left_out

    def type_of(self, number: int, place: Location, sql: str) -> str:
        """Return DuckDB's type of an expression over the present columns.

        Raises:
            StepProblem: it does not fit them.
        """
        import duckdb

        try:
            described = self.connection.execute(f"DESCRIBE SELECT (\n{sql}\n) FROM current_rows").fetchall()
        except duckdb.Error as error:
            raise StepProblem(number, place, _misfit(sql, error, self.types)) from error
        return str(described[0][1])

    def columns_of(self, parts: tuple[str, ...]) -> list[str] | None:
        """Return the columns that a SELECT around the present rows has; None where it does not fit them."""
        import duckdb

        query = "SELECT * FROM current_rows".join(parts)
        try:
            return [name for name, *_ in self.connection.execute(f"DESCRIBE {query}").fetchall()]
        except duckdb.Error:
            return None

    def compute(self, number: int, values: Mapping[str, str]) -> None:
        """Add a layer that replaces columns, or appends those that are new."""
        replaced = {name: f"(\n{sql}\n) AS {quoted(name)}" for name, sql in values.items()}
        kept = [replaced.pop(name, quoted(name)) for name in self.types]
        columns = ", ".join((*kept, *replaced.values(), *self.hidden))
        self.add(Layer(number, selecting(columns), tuple(values)))

    def require_finite(self, number: int, names: Iterable[str]) -> None:
        """Add a layer in which a number that is infinite is an error."""
        floats = [name for name in names if self.types[name] in _FLOATS]
        if floats:
            text = "the result is no finite number"
            self.compute(number, {name: _finite(quoted(name), text) for name in floats})

    def arrange(self, number: int, names: Mapping[str, str]) -> None:
        """Add a layer that keeps some columns, in this order, by their present names."""
        columns = [f"{quoted(old)} AS {quoted(new)}" for old, new in names.items()]
        moved = {new: old for old, new in names.items()}
        self.add(Layer(number, selecting(", ".join((*columns, *self.hidden)))), moved=moved)

    def keep(self, number: int, conditions: Mapping[str, str]) -> None:
        """Add a layer that keeps the rows for which all conditions are true."""
        self.layers.append(Layer(number, conditions=conditions, columns={name: name for name in self.types}))

    @property
    def hidden(self) -> tuple[str, ...]:
        """The hidden columns, as SQL has them."""
        return (*([quoted(ROW)] if self.numbered else []), *([quoted(GROUP)] if self.grouped else []))

    def add(self, layer: Layer, place: Location = (), moved: Mapping[str, str] | None = None) -> None:
        """Add a layer; the columns that it makes are none of the source's.

        Args:
            layer: around the present rows.
            place: in the step, for errors.
            moved: the columns' names before by those that result, where they may differ.

        Raises:
            StepProblem: it does not fit the columns.
        """
        import duckdb

        query = layer.over("SELECT * FROM current_rows")
        try:
            self.connection.execute(f"CREATE OR REPLACE TEMP TABLE current_rows AS {query}")
        except duckdb.Error as error:
            others = [name for table in self.read_by_name for name in self.tables.get(table, ())]
            raise StepProblem(
                layer.step, place, _misfit(", ".join(layer.made), error, [*self.types, *others])
            ) from error
        before = {name: name for name in self.types} if moved is None else moved
        self._describe()
        olds = {name: None if name in layer.made else before.get(name) for name in self.types}
        self.sources = {name: None if old is None else self.sources.get(old) for name, old in olds.items()}
        # a whole SELECT may compute any column under the name of another
        columns = dict.fromkeys(olds) if layer.ordered else olds
        self.layers.append(replace(layer, columns=columns))

    def _describe(self) -> None:
        described = self.connection.execute("DESCRIBE current_rows").fetchall()
        self.types = {name: str(dtype) for name, dtype, *_ in described if name not in {ROW, GROUP}}

    def _missing(self, name: str) -> AssayError:
        return MissingColumnError(
            f"there is no column '{name}'{did_you_mean(name, self.types)}",
            found=f"columns {', '.join(self.types)}",
            remedy="correct the name, or the steps before",
        )


def sql_of(compiler: Compiler, number: int, step: FeatureStep, key: str) -> str:
    """Return one of a step's expressions, whose columns the rows have.

    Raises:
        StepProblem: there is no such column.
    """
    expression = compiler.expressions[number, key]
    for name in expression.columns:
        compiler.column(number, place_of(step, key), name)
    return expression.sql


def quoted(name: str) -> str:
    """Return a name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """Return a value as SQL has it."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value).upper()


def first_line(error: Exception) -> str:
    """Return what DuckDB says, without the picture of the query and the advice to change its settings."""
    return str(error).partition("\n")[0].partition(". Use TRY")[0][:300]


def _finite(value: str, text: str) -> str:
    return f"CASE WHEN {value} IS NULL OR isfinite({value}) THEN {value} ELSE error({literal(text)}) END"


def _twins(one: str, other: str) -> AssayError:
    return FeatureStepError(
        "two columns differ by upper and lower case alone, which SQL ignores",
        found=f"{one}, {other}",
        remedy="rename one of them where the data are written",
    )


_UNKNOWN = re.compile(r'column "?([^"]+?)"? not found|does not have a column named "([^"]+)"')


def _misfit(sql: str, error: Exception, known: Iterable[str]) -> AssayError:
    if unknown := _UNKNOWN.search(first_line(error)):
        name = unknown[1] or unknown[2]
        return MissingColumnError(
            f"there is no column '{name}'{did_you_mean(name, known)}",
            found=first_line(error),
            remedy="correct the name, or the steps before",
        )
    return FeatureStepError(
        "the expression does not fit the columns' types",
        found=": ".join(filter(None, (sql.strip(), first_line(error)))),
        remedy="correct it; `cast(column as type)` converts a value",
    )
