"""The steps over the rows of one partition: rows out, and how many each step dropped."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.schema import TableSchema, dtype_name
from assay.errors import AssayError, FeatureStepError, Location
from assay.expressions.language import nan_as_null
from assay.features.compiling import BEFORE, ROW, joined_name
from assay.features.dropped_rows import StepCount, counted, require_enough
from assay.features.engine import FEATURES, ROWS, SPILL, Failure, computed, engine_connection
from assay.features.lineage import Lineage
from assay.features.parsing import StepProblem
from assay.features.plan import Plan, compiled
from assay.importing import import_users_object
from assay.reading.confined import Confinement
from assay.reading.files import mapped_table
from assay.reading.sandbox import ChildEnd, exceeded_limit, run_child
from assay.scratch import scratch_folder
from assay.specs.dataset import ReadLimits
from assay.specs.features import FeaturesSpec, Join
from assay.specs.pipeline import PipelineSpec

Joined: TypeAlias = Mapping[str, pa.Table]
"""The rows of each joined source, by its name."""
NONE_JOINED: Joined = MappingProxyType({})
_CHILD = "assay.features.engine"
_SHOWN_COLUMNS = 6
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """The rows after all steps.

    Attributes:
        table: the rows, in the order of the source's.
        counts: of each condition, in order.
        lineage: from what each column is computed.
        skipped: columns that were not made, as the rows are only predicted.
        numbers: of the source's row behind each row (int64), where steps see other rows.
        keeps_rows: whether each row is one of the source's.
    """

    table: pa.Table
    counts: tuple[StepCount, ...]
    lineage: Lineage
    skipped: tuple[str, ...]
    numbers: "np.ndarray[Any, Any] | None" = None
    keeps_rows: bool = True


def run_steps(  # noqa: PLR0913 - what the rows depend on, and where they run
    table: pa.Table,
    schema: TableSchema,
    spec: PipelineSpec,
    *,
    where: str,
    labelled: bool = True,
    features: FeaturesSpec | None = None,
    joined: Joined = NONE_JOINED,
    confined: bool = True,
) -> FeatureRows:
    """Run the steps of `features`.

    Args:
        table: the source's rows; where steps see other rows they may be numbered by the hidden column `ROW`.
        schema: of the source's rows; values of columns marked `pii` are not shown in errors.
        spec: the pipeline.
        where: asset and partition, for errors.
        labelled: whether the rows have a target, see `compiled`.
        features: steps in place of the pipeline's.
        joined: the rows of each joined source, by its name.
        confined: whether the steps run in a process of their own, with limits; else in this one.

    Raises:
        SpecError: a step cannot be computed whatever the rows.
        FeatureStepError: a step cannot be computed for a row, or drops more rows than it may.
        MissingColumnError: a step names a column that the rows lack.
    """
    features = features or features_of(spec)
    tables = {name: without_nan(each.replace_schema_metadata()) for name, each in joined.items()}
    for each in features.joins:
        _require_one_row_each(each, tables[each.table], where)
    run = _Run(spec, features, where, labelled, {each.name for each in schema.columns if each.pii}, tables, confined)
    source = table.replace_schema_metadata()
    if features.needs_row_numbers:
        source = numbered(source)
    return run.result(source)


def features_of(spec: PipelineSpec) -> FeaturesSpec:
    """Return the steps of a pipeline that has some."""
    if spec.features is None:
        msg = "the steps of a pipeline without `features` were asked for"
        raise TypeError(msg)
    return spec.features


def numbered(table: pa.Table) -> pa.Table:
    """Return a table with the hidden column of row numbers."""
    if ROW in table.column_names:
        return table
    return table.append_column(ROW, pa.array(np.arange(table.num_rows)))


@dataclass
class _Run:
    """One run of steps over the rows of a partition."""

    spec: PipelineSpec
    features: FeaturesSpec
    where: str
    labelled: bool
    personal: set[str]
    tables: Mapping[str, pa.Table]
    confined: bool

    def result(self, source: pa.Table) -> FeatureRows:
        """Compute all steps: what lies between functions of Python together, each in a confined process."""
        counts: list[StepCount] = []
        skipped: list[str] = []
        lineage: Lineage | None = None
        table, keeps_rows = source, True
        for numbers in self._chunks():
            step = self.features.steps[numbers[0]] if numbers else None
            if step is not None and step.python is not None:
                table = self._of_python(table, numbers[0], step.python)
                continue
            table = without_nan(table)
            plan = self._plan(table, numbers)
            made, stay = self._computed(table, plan, source)
            counts += counted(self.features, plan, table.num_rows, stay)
            table = _in_source_types(made, table, plan)
            skipped += plan.skipped
            lineage, keeps_rows = plan.lineage, keeps_rows and plan.keeps_rows
        rows = None
        if ROW in table.column_names:
            rows, table = table.column(ROW).to_numpy(), table.drop_columns([ROW])
            self._require_once(rows)
        require_enough(self.features, counts, source.num_rows, self.where)
        if lineage is None:  # functions of Python alone
            lineage = Lineage(self.spec.dataset.target)
        return FeatureRows(table, tuple(counts), lineage, tuple(skipped), rows, keeps_rows)

    def _chunks(self) -> Iterator[list[int]]:
        """Yield the numbers of steps that are computed together; a function of Python stands alone."""
        chunk: list[int] = []
        for number, step in enumerate(self.features.steps):
            if step.python is not None:
                yield from ([chunk] if chunk else [])
                yield [number]
                chunk = []
            else:
                chunk.append(number)
        yield from ([chunk] if chunk else [])

    def _plan(self, table: pa.Table, numbers: Sequence[int]) -> Plan:
        try:
            with engine_connection() as connection:
                return compiled(
                    connection,
                    self.features,
                    table.schema,
                    self.spec.dataset.target,
                    labelled=self.labelled,
                    numbers=numbers,
                    tables={name: table.schema for name, table in self.tables.items()},
                )
        except StepProblem as problem:
            error = problem.error
            error.where = f"{self.where}, {_title(self.features, problem.number)}"
            raise error from problem

    def _computed(self, table: pa.Table, plan: Plan, source: pa.Table) -> tuple[pa.Table, list[list[int]]]:
        """Compute a plan in a confined process; returns the rows, and the rows that stay after each condition."""
        limits = self.spec.dataset.limits
        with scratch_folder("features") as name:
            folder = Path(name)
            (folder / SPILL).mkdir()
            for other, rows in self.tables.items():
                _write(rows, folder / joined_name(other))
            confinement = _written(table, folder / ROWS, limits)
            request = {
                "tables": list(self.tables),
                "folder": str(folder.absolute()),
                "layers": [asdict(layer) for layer in plan.layers],
                "confinement": confinement.to_plain(),
                "threads": os.cpu_count() or 1,
                "parent": os.getpid(),
            }
            end = _end_of(request, folder, confinement, confined=self.confined)
            if end.code == 0 and "stay" in end.answer:
                return mapped_table(folder / FEATURES), end.answer["stay"]
        if end.code == 0 and "failure" in end.answer:
            raise self._row_error(Failure(**end.answer["failure"]), source, plan)
        raise _stopped(end, confinement, self.where)

    def _of_python(self, table: pa.Table, number: int, path: str) -> pa.Table:
        """Return the table that a user's function makes of a table, with the same rows."""
        where = f"{self.where}, {_title(self.features, number)}"
        function = import_users_object(path, where=where)
        try:
            made = function(table.drop_columns([ROW]))
        except Exception as error:
            raise FeatureStepError(
                "the function raises an error",
                where=where,
                found=type(error).__name__ if self._hides(table.column_names) else f"{type(error).__name__}: {error}",
            ) from error
        if not isinstance(made, pa.Table) or made.num_rows != table.num_rows:
            found = f"{made.num_rows:,} rows" if isinstance(made, pa.Table) else type(made).__name__
            raise FeatureStepError(
                "the function does not give a table of the same rows",
                where=where,
                found=found,
                expected=f"a pyarrow.Table of {table.num_rows:,} rows, in the order of those it was given",
                remedy="drop rows by a filter, before or after it",
            )
        return made.replace_schema_metadata().append_column(ROW, table.column(ROW))

    def _row_error(self, failure: Failure, source: pa.Table, plan: Plan) -> AssayError:
        column = f", column '{failure.column}'" if failure.column else ""
        text = failure.text.partition(":")[0] if self._hides(source.column_names) else failure.text
        row = f"row {failure.row + 1:,} of the source's rows" if failure.row is not None else ""
        return FeatureStepError(
            "a step cannot be computed for a row",
            location=Location(row=None if failure.row is None else failure.row + 1, column=failure.column or ""),
            where=f"{self.where}, {_title(self.features, failure.step)}{column}",
            found="; ".join(filter(None, (text, row, self._values(source, failure, plan)))),
            remedy="correct the value, drop such rows by a filter before the step, or let the expression allow for "
            "them, as `x / nullif(y, 0)` does",
        )

    def _hides(self, names: Sequence[str]) -> bool:
        """Whether a text that may quote values of some columns is withheld."""
        return not self.spec.validation.show_values or bool(self.personal & set(names))

    def _values(self, source: pa.Table, failure: Failure, plan: Plan) -> str:
        """Return the source's values in the row that fails, of the columns that the step reads."""
        if failure.row is None:
            return ""
        read = plan.lineage.sources_of(failure.step, failure.column)
        names = [name for name in source.column_names if name.lower() in read][:_SHOWN_COLUMNS]
        shown = {
            name: "***" if self._hides([name]) else str(source.column(name)[failure.row].as_py()) for name in names
        }
        return ", ".join(f"{name} = {text[:_LONGEST]}" for name, text in shown.items())

    def _require_once(self, rows: "np.ndarray[Any, Any]") -> None:
        """Refuse rows that a SELECT gives more than once."""
        again = np.flatnonzero(np.diff(rows) <= 0)
        if again.size:
            raise FeatureStepError(
                "a row of the source is there more than once after the steps",
                where=f"{self.where}, features",
                found=f"row {rows[again[0]] + 1:,} and {again.size - 1:,} more",
                expected="each row at most once",
                remedy="join one row at most, or group the rows",
            )


def _end_of(request: dict[str, Any], folder: Path, confinement: Confinement, *, confined: bool) -> ChildEnd:
    """Answer a request in a process of its own, or in this one."""
    if confined:
        return run_child(_CHILD, json.dumps(request), folder, wall_seconds=confinement.wall_seconds)
    return ChildEnd(0, 0.0, 0, False, computed({**request, "threads": 1}), "")


def _title(features: FeaturesSpec, number: int) -> str:
    return "features" if number == BEFORE else f"features: {features.title(number)}"


def without_nan(table: pa.Table) -> pa.Table:
    """Return a table in which missing numbers are null."""
    for position, name in enumerate(table.column_names):
        column = table.column(name)
        plain = nan_as_null(column)
        table = table if plain is column else table.set_column(position, name, plain)
    return table


def _require_one_row_each(join: Join, table: pa.Table, where: str) -> None:
    """Refuse another source in which a key, or a key and a time, has several rows.

    Raises:
        FeatureStepError: names some of the keys.
    """
    names = [*join.keys.values(), *([join.as_of.right] if join.as_of is not None else [])]
    if not set(names) <= set(table.column_names):
        return  # named by the step itself
    counted = table.select(names).group_by(names, use_threads=False).aggregate([([], "count_all")])
    known = pc.greater(counted.column("count_all"), 1)
    for name in names:  # what is missing equals nothing
        known = pc.and_(known, pc.is_valid(counted.column(name)))
    twice = counted.filter(known)
    if twice.num_rows:
        shown = [", ".join(f"{name} = {row[name]}" for name in names) for row in twice.slice(0, 3).to_pylist()]
        raise FeatureStepError(
            f"several rows of {join.table} have one key, so that a row would find more than one",
            where=f"{where}, features: join {join.table}",
            found=f"{twice.num_rows:,} keys, such as {'; '.join(shown)}",
            expected="at most one row for each key" + (" and time" if join.as_of is not None else ""),
            remedy="add columns to `on`, use `as_of`, or correct the other source",
        )


def _write(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_file(path, table.schema) as out:
        out.write_table(table)


def _written(table: pa.Table, path: Path, limits: ReadLimits) -> Confinement:
    _write(table, path)
    return Confinement.of(limits, path.stat().st_size)


def _stopped(end: ChildEnd, confinement: Confinement, where: str) -> AssayError:
    if (error := end.error) is not None:
        return error
    exceeded = exceeded_limit(end, confinement)
    if exceeded is None:
        return FeatureStepError("the steps could not be computed", where=f"{where}, features", found=end.cause)
    remedy = f"simplify the steps, or raise {exceeded.setting}" if exceeded.setting else "simplify the steps"
    return FeatureStepError(
        f"the steps take more {exceeded.resource} than they may",
        where=f"{where}, features",
        found=exceeded.found,
        expected=exceeded.limit,
        remedy=remedy,
    )


def _in_source_types(made: pa.Table, source: pa.Table, plan: Plan) -> pa.Table:
    """Return unchanged columns in the source's own types: DuckDB has fewer units of time, and one zone."""
    for name, origin in plan.columns.items():
        position, found = made.column_names.index(name), made.column(name)
        wanted = source.schema.field(origin).type if origin is not None else found.type
        if dtype_name(wanted) != dtype_name(found.type):
            made = made.set_column(position, name, found.cast(wanted))
    return made
