"""The plan of steps for rows of certain columns: one query, and what is known of its columns."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa

from assay.errors import MissingColumnError
from assay.features import other_rows  # noqa: F401 - registers its kinds
from assay.features.compiling import BEFORE, EARLIER, ROW, Compiler, Layer, quoted
from assay.features.kinds import BUILDERS
from assay.features.lineage import Lineage, lineage_of
from assay.features.parsing import StepProblem, parsed_selects, parsed_steps
from assay.features.reach import NO_EARLIER_ROWS, EarlierRows
from assay.specs.features import FeaturesSpec

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Plan:
    """What the steps come to for rows of certain columns.

    Attributes:
        layers: from the innermost.
        columns: the names that result, each with the source's column if it is that column unchanged.
        lineage: from what each column is computed.
        skipped: what is left out of rows without a target, for people.
        keeps_rows: whether each row is still one of the source's.
        absent: DuckDB's type of each of the source's columns that no step computes with; the rows need not have them.
        carries: whether unchanged columns are the source's own, row by row.
        first: number of the partition's first row; those before it are of earlier partitions.
        lacking: columns that rows which are only predicted cannot have, though earlier rows have them.
    """

    layers: tuple[Layer, ...]
    columns: Mapping[str, str | None]
    lineage: Lineage
    skipped: tuple[str, ...]
    keeps_rows: bool
    absent: Mapping[str, str]
    carries: bool
    first: int = 0
    lacking: tuple[str, ...] = ()

    @property
    def computed(self) -> list[str]:
        """The columns that steps compute."""
        return [name for name, origin in self.columns.items() if origin is None or not self.carries]


def compiled(  # noqa: PLR0913 - what a plan depends on
    connection: "duckdb.DuckDBPyConnection",
    features: FeaturesSpec,
    schema: pa.Schema,
    target: str,
    *,
    labelled: bool = True,
    numbers: Iterable[int] | None = None,
    tables: Mapping[str, pa.Schema] = MappingProxyType({}),
    earlier: EarlierRows = NO_EARLIER_ROWS,
) -> Plan:
    """Compile steps for rows of a schema.

    Args:
        connection: of `locked_connection`.
        features: the steps.
        schema: of the source's rows, in which missing numbers are null and not NaN.
        target: the column of the feature set that is predicted.
        labelled: whether the rows have a target. Rows that are only predicted lack it and may lack what only serves it;
            a filter drops none of them unless it applies to all rows.
        numbers: of the steps to compile, from 0; all unless given. None of them is a function of Python.
        tables: the schemas of the joined sources.
        earlier: the rows of earlier partitions in front of the rows.

    Raises:
        StepProblem: a step does not fit the columns.
    """
    first, reach = earlier.first, earlier.reach
    expressions = parsed_steps(connection, features.steps)
    queries = parsed_selects(connection, features)
    lineage = lineage_of(features.steps, expressions, target, queries)
    predicts = bool(first) and not labelled
    compiler = Compiler(connection, expressions, queries, lineage, labelled or predicts, features.table_names)
    compiler.first, compiler.predicts, compiler.has_earlier_rows = first, predicts, bool(first)
    compiler.alone = frozenset(reach.alone) if first else frozenset()
    compiler.begin(schema)
    source_types = compiler.types
    for name, other in tables.items():
        compiler.add_table(name, other)
    numbers = range(len(features.steps)) if numbers is None else numbers
    for number in numbers:
        if number in features.fitted:  # part of the model
            continue
        BUILDERS[features.steps[number].kind](compiler, number, features.steps[number])
        if first and number == reach.last:
            compiler.keep(number, {EARLIER: f"{quoted(ROW)} >= {first}"})
            compiler.has_earlier_rows = False
    lacking = _lacking(compiler, earlier) if predicts else ()
    read = compiler.reads if compiler.carries else source_types
    return Plan(
        tuple(compiler.layers),
        {name: origin for name, origin in compiler.sources.items() if name not in lacking},
        compiler.lineage,
        (*compiler.skipped, *lacking),
        compiler.keeps_rows,
        absent={name: dtype for name, dtype in source_types.items() if name not in read},
        carries=compiler.carries and compiler.keeps_rows,
        first=first,
        lacking=lacking,
    )


def _lacking(compiler: Compiler, earlier: EarlierRows) -> tuple[str, ...]:
    """Return the columns that rows which are only predicted cannot have: the target, and what serves it alone.

    Raises:
        StepProblem: steps compute with another column that the rows lack.
    """
    lineage, folded = compiler.lineage, {name.lower() for name in earlier.absent}
    for name in earlier.absent:
        if name in compiler.reads and not lineage.named_for_the_target(name):
            what = f"the rows to predict have no column '{name}', which earlier rows have"
            raise StepProblem(BEFORE, (), MissingColumnError(what, remedy="add the column"))
    return tuple(
        name
        for name in compiler.sources
        if name.lower() == lineage.target.lower() or lineage.lacks(name, folded, earlier.reach.windows)
    )
