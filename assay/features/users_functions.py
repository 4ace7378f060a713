"""Steps that are functions of users' own: a table in, a table of the same rows out, with the columns it should have."""

from collections.abc import Callable

import pyarrow as pa

from assay.errors import FeatureStepError
from assay.features.compiling import GROUP, ROW
from assay.features.step_engine import StepEngine, title_of
from assay.importing import import_users_object
from assay.specs.features import ColumnType, FeatureStep


def hidden_in(table: pa.Table) -> list[str]:
    """Return the hidden columns of a table."""
    return [name for name in table.column_names if name in {ROW, GROUP}]


def of_python(engine: StepEngine, table: pa.Table, number: int, path: str) -> pa.Table:
    """Return the table that a user's function makes of a table, with the same rows.

    Raises:
        FeatureStepError: it raises, or gives other rows or columns than it may.
    """
    where = f"{engine.where}, {title_of(engine.features, number)}"
    function = import_users_object(path, where=where)
    try:
        made = function(table.drop_columns(hidden_in(table)))
    except Exception as error:
        raise FeatureStepError(
            "the function raises an error",
            where=where,
            found=type(error).__name__ if engine.hides(table.column_names) else f"{type(error).__name__}: {error}",
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
    made = made.replace_schema_metadata()
    _require_given(made, table, engine.features.steps[number], where)
    for name in hidden_in(table):
        made = made.append_column(name, table.column(name))
    return made


def _require_given(made: pa.Table, before: pa.Table, step: FeatureStep, where: str) -> None:
    """Refuse columns other than those that a step of Python is said to give."""
    if step.gives is None:
        return
    kept = [name for name in before.column_names if name not in hidden_in(before)]
    expected = [*kept, *(name for name in step.gives if name not in kept)]
    remedy = "correct gives, or the function"
    if made.column_names != expected:
        what, found = "the function gives other columns than `gives` says", ", ".join(made.column_names)
        raise FeatureStepError(what, where=where, found=found, expected=", ".join(expected), remedy=remedy)
    for name, to in step.gives.items():
        if not _ARROW_TYPES[to](made.schema.field(name).type):
            what, found = f"column '{name}' has another type than `gives` says", str(made.schema.field(name).type)
            raise FeatureStepError(what, where=where, found=found, expected=str(to), remedy=remedy)


_ARROW_TYPES: dict[ColumnType, Callable[[pa.DataType], bool]] = {
    ColumnType.INTEGER: pa.types.is_integer,
    ColumnType.NUMBER: lambda each: pa.types.is_floating(each) or pa.types.is_integer(each),
    ColumnType.BOOLEAN: pa.types.is_boolean,
    ColumnType.TEXT: lambda each: pa.types.is_string(each) or pa.types.is_large_string(each),
    ColumnType.DATE: pa.types.is_date,
    ColumnType.TIME: pa.types.is_timestamp,
}
