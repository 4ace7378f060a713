"""The SQL texts of steps, parsed; and the error of one place in a step."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from assay.errors import AssayError, DataContractError, SpecError
from assay.expressions.language import Expression, parsed
from assay.specs.base import Location
from assay.specs.features import FeatureStep

if TYPE_CHECKING:
    import duckdb

Expressions: TypeAlias = Mapping[tuple[int, str], Expression]
"""The expressions of steps, by the number of the step from 0 and the derived column or the reason of a filter."""


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
            try:
                found[number, key] = parsed(connection, sql)
            except DataContractError as error:
                refusal = SpecError(error.what, found=error.found, expected=error.expected, remedy=error.remedy)
                raise StepProblem(number, place_of(step, key), refusal) from error
    return found


def place_of(step: FeatureStep, key: str) -> Location:
    """Return where in a step the expression of a column or a reason stands."""
    return (step.kind, key) if key else (step.kind,)
