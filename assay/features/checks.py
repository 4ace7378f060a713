"""What is wrong with steps before any rows are read: as far as the frozen schema of the source is known."""

from collections.abc import Callable, Iterator
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
from assay.specs.features import FeaturesSpec
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import duckdb

Parser = Callable[[], "duckdb.DuckDBPyConnection"]


def checked_steps(features: FeaturesSpec, target: str, source: FrozenSchema | None, parser: Parser) -> Plan | None:
    """Parse the steps, and compile them for the source's frozen columns where they are known.

    What a function of Python or another source gives is not known before it is read; such steps are only parsed, and
    None is returned.

    Raises:
        StepProblem: a step is wrong whatever the rows.
    """
    for number, step in enumerate(features.steps):
        if step.python is not None:
            _require_function(number, step.python)
    connection = parser()
    if source is None or features.other_sources or any(step.python is not None for step in features.steps):
        parsed_steps(connection, features.steps)
        parsed_selects(connection, features)
        return None
    types = {name: arrow_type(dtype) or pa.null() for name, dtype in source.dtypes.items()}
    if not features.is_of_rows_alone:
        types[ROW] = pa.int64()
    return compiled(connection, features, pa.schema(list(types.items())), target)


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
