"""What is wrong with steps before any rows are read: as far as the frozen schema of the source is known."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa

from assay.data.contract import arrow_type
from assay.data.frozen_schema import FrozenColumn, FrozenSchema
from assay.errors import AssayError, SpecError, did_you_mean
from assay.features.compiling import ROW
from assay.features.parsing import StepProblem, parsed_selects, parsed_steps
from assay.features.plan import Plan, compiled
from assay.importing import refuse_missing_object
from assay.specs.base import Location
from assay.specs.dataset import ColumnRole
from assay.specs.features import FeaturesSpec, FeatureStep
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import duckdb

Parser = Callable[[], "duckdb.DuckDBPyConnection"]


def checked_steps(
    features: FeaturesSpec,
    target: str,
    source: FrozenSchema | None,
    parser: Parser,
    others: Mapping[str, FrozenSchema | None] = MappingProxyType({}),
) -> Plan | None:
    """Parse the steps, and compile them for the frozen columns of the source and of other sources.

    Steps are compiled as far as columns are known; None is returned where that is not to the end. A function of Python
    ends what is known, unless the step says what it gives.

    Args:
        features: the steps.
        target: the column that is predicted.
        source: the frozen schema of the source; None before its first data.
        parser: gives a locked connection.
        others: the frozen schema of each other source by its name.

    Raises:
        StepProblem: a step is wrong whatever the rows.
    """
    for number, step in enumerate(features.steps):
        if step.python is not None:
            _require_function(number, step.python)
    connection = parser()
    if source is None:
        parsed_steps(connection, features.steps)
        parsed_selects(connection, features)
        return None
    schema = _arrow_schema(source)
    if features.needs_row_numbers:
        schema = schema.append(pa.field(ROW, pa.int64()))
    tables = {name: _arrow_schema(other) for name, other in others.items() if other is not None}
    end = next((n for n, step in enumerate(features.steps) if not _is_known(step, features, tables)), None)
    numbers = range(len(features.steps))[:end]
    plan = compiled(connection, features, schema, target, numbers=numbers, tables=tables)
    return plan if end is None else None


def _arrow_schema(frozen: FrozenSchema) -> pa.Schema:
    return pa.schema([(name, arrow_type(dtype) or pa.null()) for name, dtype in frozen.dtypes.items()])


def _is_known(step: FeatureStep, features: FeaturesSpec, tables: Mapping[str, pa.Schema]) -> bool:
    """Whether the columns after a step follow from those before it; a column without values may have any type."""
    if step.python is not None:
        return step.gives is not None
    if step.sql is not None:
        return {*features.table_names} <= {*tables}
    if step.join is None:
        return True
    if step.join.table not in tables:
        return False
    table, as_of = tables[step.join.table], step.join.as_of
    compared = {name.lower() for name in (*step.join.keys.values(), *([as_of.right] if as_of is not None else []))}
    return not any(pa.types.is_null(field.type) for field in table if field.name.lower() in compared)


def table_time_errors(
    features: FeaturesSpec, others: Mapping[str, FrozenSchema | None]
) -> Iterator[tuple[Location, AssayError]]:
    """Yield each column of times that a table of `features.tables` does not have."""
    for number, table in enumerate(features.tables):
        frozen = others.get(table.table)
        if frozen is not None and isinstance(table.time, str) and table.time not in frozen.dtypes:
            what = f"{table.table} has no column '{table.time}'{did_you_mean(table.time, frozen.dtypes)}"
            error = SpecError(what, expected=f"one of {', '.join(frozen.dtypes)}", remedy="correct the name")
            yield ("features", "tables", number, "time"), error


def _require_function(number: int, path: str) -> None:
    try:
        refuse_missing_object(path)
    except SpecError as error:
        raise StepProblem(number, ("python",), error) from error


def feature_columns(spec: PipelineSpec, plan: Plan) -> FrozenSchema:
    """Return the columns that the steps give, before there is a frozen schema of them.

    What serves the target is ignored unless a role is declared.
    """
    columns = [
        FrozenColumn(
            name=name,
            dtype="null",
            role=ColumnRole.IGNORED
            if name != spec.dataset.target and plan.lineage.serves_the_target(name)
            else ColumnRole.CATEGORICAL,
        )
        for name in plan.columns
    ]
    return FrozenSchema(version=spec.dataset.schema_version, columns=tuple(columns))


def declared_column_errors(
    spec: PipelineSpec, source: FrozenSchema, features: FrozenSchema
) -> Iterator[tuple[Location, AssayError]]:
    """Yield each declared column that neither the source nor the feature set has."""
    time = spec.features.time if spec.features is not None else None
    if time is not None and time not in source.dtypes:
        what = f"the source has no column '{time}'{did_you_mean(time, source.dtypes)}"
        yield ("features", "time"), SpecError(what, expected=f"one of {', '.join(source.dtypes)}")
    names = (*source.dtypes, *features.dtypes)
    for name in spec.dataset.columns:
        if name not in names:
            what = f"neither the source nor the feature set has a column '{name}'{did_you_mean(name, names)}"
            expected = f"one of {', '.join(dict.fromkeys(names))}"
            yield ("dataset", "columns", name), SpecError(what, expected=expected, remedy="correct the name")


def problem_at(problem: StepProblem) -> tuple[Location, AssayError]:
    """Return a problem with its location in a pipeline file."""
    return ("features", *problem.location), problem.error
