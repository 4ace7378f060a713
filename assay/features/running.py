"""The steps over the rows of one partition: rows out, and how many each step dropped."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from assay.data.dataset import Dataset
from assay.data.schema import TableSchema
from assay.errors import FeatureStepError
from assay.features.compiling import GROUP, ROW
from assay.features.dropped_rows import StepCount, counted, require_enough
from assay.features.first_failure import engine_connection
from assay.features.history import History
from assay.features.joined_tables import NONE_JOINED, Joined, JoinedTables, without_nan, written_once
from assay.features.lineage import Lineage
from assay.features.parsing import StepProblem
from assay.features.plan import Plan, compiled
from assay.features.prepared import PreparedSteps
from assay.features.reach import EarlierRows, Reach
from assay.features.step_engine import StepEngine, title_of
from assay.features.users_functions import hidden_in, of_python
from assay.specs.features import FeaturesSpec
from assay.specs.pipeline import PipelineSpec


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """The rows after all steps.

    Attributes:
        table: the rows, in the order of the source's.
        counts: of each condition, in order.
        lineage: from what each column is computed.
        skipped: columns that were not made, as the rows are only predicted.
        numbers: of the source's row behind each row (int64).
        keeps_rows: whether each row is one of the source's.
        groups: shape (rows,), equal for rows that group the same rows of the source; None where that is not known.
        computed: the columns that steps compute; None where any may be.
        absent: the source's columns that no step computes with.
    """

    table: pa.Table
    counts: tuple[StepCount, ...]
    lineage: Lineage
    skipped: tuple[str, ...]
    numbers: "np.ndarray[Any, Any]"
    keeps_rows: bool
    groups: "np.ndarray[Any, Any] | None"
    computed: frozenset[str] | None
    absent: frozenset[str]


def run_steps(  # noqa: PLR0913 - what the rows depend on, and where they run
    table: pa.Table,
    schema: TableSchema,
    spec: PipelineSpec,
    *,
    where: str,
    labelled: bool = True,
    features: FeaturesSpec | None = None,
    joined: Joined | JoinedTables = NONE_JOINED,
    prepared: PreparedSteps | None = None,
    history: History | None = None,
) -> FeatureRows:
    """Run the steps of `features`.

    Args:
        table: the source's rows; they may be numbered by the hidden column `ROW`.
        schema: of the source's rows; values of columns marked `pii` are not shown in errors.
        spec: the pipeline.
        where: asset and partition, for errors.
        labelled: whether the rows have a target, see `compiled`.
        features: steps in place of the pipeline's.
        joined: the rows of each joined source, by its name.
        prepared: runs the steps in this process, with the joined sources that it has; None for a process of their own,
            with limits.
        history: rows of earlier partitions, which windows see.

    Raises:
        SpecError: a step cannot be computed whatever the rows.
        FeatureStepError: a step cannot be computed for a row, or drops more rows than it may.
        MissingColumnError: a step names a column that the rows lack.
    """
    features = features or features_of(spec)
    source = numbered(table.replace_schema_metadata(), history)
    with written_once(joined if prepared is None else prepared.tables, features, where) as tables:
        engine = StepEngine(spec, features, where, _personal(schema), tables, source, prepared, history)
        return _Run(engine, labelled).result(source)


def run_again(
    tables: Iterable[pa.Table],
    source: Dataset,
    spec: PipelineSpec,
    features: FeaturesSpec,
    *,
    where: str,
    joined: Joined | JoinedTables = NONE_JOINED,
    history: History | None = None,
) -> list[FeatureRows]:
    """Run steps of which none is a function of Python on several tables of labelled rows.

    Unchanged columns are left out of the results, and so are counts of dropped rows.

    Args:
        tables: some of the source's rows, numbered, behind those of earlier partitions; they may lack columns that no
            step computes with.
        source: the partition's rows.
        spec: the pipeline.
        features: the steps.
        where: asset and partition, for errors.
        joined: the rows of each joined source, by its name.
        history: all rows of earlier partitions.

    Raises:
        FeatureStepError: a step cannot be computed for a row, or drops more rows than it may.
    """
    with written_once(joined, features, where) as written:
        whole = numbered(source.table.replace_schema_metadata(), history)
        engine = StepEngine(spec, features, where, _personal(source.schema), written, whole, None, history)
        return _Run(engine, labelled=True).results(tables)


def _personal(schema: TableSchema) -> frozenset[str]:
    return frozenset(each.name for each in schema.columns if each.pii)


def features_of(spec: PipelineSpec) -> FeaturesSpec:
    """Return the steps of a pipeline that has some."""
    if spec.features is None:
        msg = "the steps of a pipeline without `features` were asked for"
        raise TypeError(msg)
    return spec.features


def numbered(table: pa.Table, history: History | None = None) -> pa.Table:
    """Return a table with the hidden column of row numbers, which go on after those of earlier partitions."""
    if ROW in table.column_names:
        return table
    first = history.first if history is not None else 0
    return table.append_column(ROW, pa.array(np.arange(first, first + table.num_rows)))


@dataclass
class _Run:
    """One run of steps over the rows of a partition."""

    engine: StepEngine
    labelled: bool

    def result(self, source: pa.Table) -> FeatureRows:
        """Compute all steps: what lies between functions of Python together, each in a confined process."""
        features = self.engine.features
        counts: list[StepCount] = []
        plans: list[Plan] = []
        table = source
        chunks = list(self._chunks())
        for numbers in chunks:
            step = features.steps[numbers[0]]
            if step.python is not None:
                table = of_python(self.engine, table, numbers[0], step.python)
                continue
            table = without_nan(table)
            plan = self._plan(table.schema, numbers)
            before = table.num_rows
            [(table, stay)] = self.engine.computed([table], plan)
            table = table.drop_columns([name for name in plan.lacking if name in table.column_names])
            counts += counted(features, plan, before, stay)
            plans.append(plan)
        return self._finished(table, counts, plans, source.num_rows, is_one=len(chunks) == len(plans) == 1)

    def results(self, sources: Iterable[pa.Table]) -> list[FeatureRows]:
        """Compute steps for some tables, in one process; see `run_again`."""
        plan = self._plan(self.engine.source.schema, range(len(self.engine.features.steps)))
        tables = (without_nan(source) for source in sources)
        made = self.engine.computed(tables, plan, alone=True)
        return [self._finished(table, [], [plan], table.num_rows, is_one=True) for table, _ in made]

    def _finished(
        self, table: pa.Table, counts: list[StepCount], plans: list[Plan], rows_in: int, *, is_one: bool
    ) -> FeatureRows:
        """Return the rows without the hidden columns.

        Raises:
            FeatureStepError: a row is there more than once, or too many were dropped.
        """
        keeps_rows = all(plan.keeps_rows for plan in plans)
        rows = table.column(ROW).to_numpy() - (self.engine.first if keeps_rows else 0)
        groups = table.column(GROUP).to_numpy() if GROUP in table.column_names else None
        self._require_once(rows)
        require_enough(self.engine.features, counts, rows_in, self.engine.where)
        return FeatureRows(
            table.drop_columns(hidden_in(table)),
            tuple(counts),
            plans[-1].lineage if plans else Lineage(self.engine.spec.dataset.target),
            tuple(name for plan in plans for name in plan.skipped),
            rows,
            keeps_rows,
            groups,
            frozenset(plans[0].computed) if is_one else None,
            frozenset(plans[0].absent) if is_one else frozenset(),
        )

    def _chunks(self) -> Iterator[list[int]]:
        """Yield the numbers of steps that are computed together; a function of Python stands alone."""
        chunk: list[int] = []
        for number, step in enumerate(self.engine.features.steps):
            if step.python is not None:
                yield from ([chunk] if chunk else [])
                yield [number]
                chunk = []
            else:
                chunk.append(number)
        yield from ([chunk] if chunk else [])

    def _plan(self, schema: pa.Schema, numbers: Sequence[int]) -> Plan:
        history, prepared = self.engine.history, self.engine.prepared
        reach = history.reach if history is not None else Reach()
        first = self.engine.first if reach.last in numbers else 0
        fields = history.table.schema if history is not None and first else ()
        further = [field for field in fields if field.name not in schema.names]
        earlier = EarlierRows(first, reach, tuple(field.name for field in further))
        whole = pa.schema([*schema, *further])
        if prepared is None:
            return self._compiled(whole, numbers, earlier)
        # the reach is of the steps, which are the same in each call
        key = whole.serialize().to_pybytes(), tuple(numbers), self.labelled, first, earlier.absent, history is None
        return prepared.plan(key, lambda: self._compiled(whole, numbers, earlier))

    def _compiled(self, schema: pa.Schema, numbers: Sequence[int], earlier: EarlierRows) -> Plan:
        features = self.engine.features
        try:
            with engine_connection() as connection:
                return compiled(
                    connection,
                    features,
                    schema,
                    self.engine.spec.dataset.target,
                    labelled=self.labelled,
                    numbers=numbers,
                    tables=self.engine.tables.schemas,
                    earlier=earlier,
                )
        except StepProblem as problem:
            error = problem.error
            error.where = f"{self.engine.where}, {title_of(features, problem.number)}"
            raise error from problem

    def _require_once(self, rows: "np.ndarray[Any, Any]") -> None:
        """Refuse rows that a SELECT gives more than once."""
        again = np.flatnonzero(np.diff(rows) <= 0)
        if again.size:
            raise FeatureStepError(
                "a row of the source is there more than once after the steps",
                where=f"{self.engine.where}, features",
                found=f"row {rows[again[0]] + 1:,} and {again.size - 1:,} more",
                expected="each row at most once",
                remedy="join one row at most, or group the rows",
            )
