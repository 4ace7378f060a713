"""The SQL texts of steps, parsed; and the error of one place in a step."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from assay.errors import AssayError, DataContractError, SpecError
from assay.expressions.language import Expression, parsed
from assay.expressions.queries import Query, parsed_aggregate, parsed_query
from assay.specs.base import Location
from assay.specs.features import FeaturesSpec, FeatureStep

if TYPE_CHECKING:
    import duckdb

Expressions: TypeAlias = Mapping[tuple[int, str], Expression]
"""The expressions of steps, by the number of the step from 0 and the derived column or the reason of a filter."""


ROWS = "rows"
"""The table that the SELECT of a step reads."""


class StepProblem(Exception):  # noqa: N818 - caught where the file or the rows are known, and raised as the error
    """What is wrong with one place in the steps.

    Attributes:
        location: from `steps` of a pipeline file's `features`.
        error: without `where`.
    """

    def __init__(self, number: int, place: Location, error: AssayError) -> None:
        super().__init__(str(error))
        self.number = number
        self.location: Location = ("steps", number, *place)
        self.error = error


def parsed_steps(connection: "duckdb.DuckDBPyConnection", steps: Sequence[FeatureStep]) -> Expressions:
    """Parse every expression of the steps; nothing is executed.

    Raises:
        StepProblem: a text is no expression over a row's values.
    """
    found = {}
    for number, step in enumerate(steps):
        for key, sql in step.expressions.items():
            with _at(number, place_of(step, key)):
                found[number, key] = parsed(connection, sql)
        for key, sql in step.aggregate.columns.items() if step.aggregate is not None else ():
            with _at(number, ("aggregate", "columns", key)):
                found[number, key] = parsed_aggregate(connection, sql)
    return found


def parsed_selects(connection: "duckdb.DuckDBPyConnection", features: FeaturesSpec) -> dict[int, Query]:
    """Parse the SELECTs of all steps, by the number of the step.

    Raises:
        StepProblem: one is not a SELECT, or reads anything but the rows and the tables of `features`.
    """
    names = features.table_names
    return {n: parsed_select(connection, n, step.sql, names) for n, step in enumerate(features.steps) if step.sql}


def parsed_select(connection: "duckdb.DuckDBPyConnection", number: int, sql: str, tables: Sequence[str] = ()) -> Query:
    """Parse the SELECT of a step, which may read the rows and some tables.

    Raises:
        StepProblem: it is not a SELECT, or reads anything but the rows.
    """
    with _at(number, ("sql",)):
        return parsed_query(connection, sql, [ROWS, *tables])


@contextmanager
def _at(number: int, place: Location) -> Iterator[None]:
    """Say where in the steps an expression stands that is refused."""
    try:
        yield
    except DataContractError as error:
        refusal = SpecError(error.what, found=error.found, expected=error.expected, remedy=error.remedy)
        raise StepProblem(number, place, refusal) from error


def place_of(step: FeatureStep, key: str) -> Location:
    """Return where in a step the expression of a column or a reason stands."""
    return (step.kind, key) if key else (step.kind,)
