"""The kinds of steps that compute with a row alone: what each adds to the query.

A further kind is a field of `FeatureStep` and a function here, or in `other_rows` where it can see other rows.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

from assay.errors import DataContractError, FeatureStepError, SpecError
from assay.features.compiling import ROW, Compiler, literal, quoted, sql_of
from assay.features.lineage import selected
from assay.features.parsing import StepProblem, place_of
from assay.specs.base import Location
from assay.specs.dataset import Scalar
from assay.specs.features import ColumnType, Conversion, FeatureStep
from assay.specs.fitted import Bounds, FittedFill

Asked = TypeVar("Asked")
Builder: TypeAlias = Callable[[Compiler, int, FeatureStep], None]
BUILDERS: dict[str, Builder] = {}
"""The function of each kind."""
TYPES = {
    ColumnType.INTEGER: "BIGINT",
    ColumnType.NUMBER: "DOUBLE",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.TEXT: "VARCHAR",
    ColumnType.DATE: "DATE",
    ColumnType.TIME: "TIMESTAMP",
}
"""DuckDB's type of each type that a file names."""
_WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"})
_WHOLE_TEXT = "[+-]?(0|[1-9][0-9]*)([.]0*)?"


def builds(kind: str) -> Callable[[Builder], Builder]:
    """Register the function of a kind."""

    def register(builder: Builder) -> Builder:
        BUILDERS[kind] = builder
        return builder

    return register


@builds("derive")
def derive(compiler: Compiler, number: int, step: FeatureStep) -> None:
    """Compute columns; those that name a column of the same step wait for its layer."""
    waiting: dict[str, str] = {}
    for name in step.derive or {}:
        place = place_of(step, name)
        names = compiler.expressions[number, name].columns
        if {each.lower() for each in (*names, name)} & {each.lower() for each in waiting}:
            _compute(compiler, number, waiting)
            waiting = {}
        if compiler.leaves_out(number, name, names):
            continue
        refuse_other_case(compiler, number, place, name)
        sql = sql_of(compiler, number, step, name)
        waiting[name] = _of_plain_type(compiler, number, place, sql)
    _compute(compiler, number, waiting)


def _compute(compiler: Compiler, number: int, values: Mapping[str, str]) -> None:
    if values:
        compiler.compute(number, values)
        compiler.require_finite(number, values)


def _of_plain_type(compiler: Compiler, number: int, place: Location, sql: str) -> str:
    """Return an expression that a model can take: exact decimals, which literals such as 60.0 give, as floats."""
    dtype = compiler.type_of(number, place, sql)
    if dtype == "INTERVAL":
        raise StepProblem(
            number,
            place,
            SpecError(
                "the expression gives a span of time, which is no number",
                found=sql,
                remedy="count units, as date_diff('second', start, end) / 60.0 does",
            ),
        )
    return f"CAST((\n{sql}\n) AS DOUBLE)" if is_exact_number(dtype) else sql


def is_exact_number(dtype: str) -> bool:
    """Whether values of DuckDB's type are exact beyond 64 bits, as literals such as 60.0 and sums of integers are."""
    return dtype.startswith("DECIMAL") or dtype in {"HUGEINT", "UHUGEINT"}


def refuse_other_case(compiler: Compiler, number: int, place: Location, name: str) -> None:
    """Refuse a new name that differs from a column's by case alone.

    Raises:
        StepProblem: it does.
    """
    other = next((each for each in compiler.types if each.lower() == name.lower() and each != name), None)
    if other is not None:
        what = f"column '{name}' differs from '{other}' by upper and lower case alone, which SQL ignores"
        raise StepProblem(number, place, SpecError(what, remedy="give it another name, or the same"))


@builds("filter")
def keep_rows(compiler: Compiler, number: int, step: FeatureStep) -> None:
    """Keep the rows for which each condition is true."""
    stays = step.applies_to == "labelled" and (not compiler.labelled or compiler.predicts)
    if stays and not (compiler.predicts and compiler.has_earlier_rows):
        return
    conditions = {}
    for reason in step.expressions:
        place = place_of(step, reason)
        sql = sql_of(compiler, number, step, reason)
        dtype = compiler.type_of(number, place, sql)
        if dtype not in {"BOOLEAN", '"NULL"'}:
            what = "the condition is neither true nor false"
            raise StepProblem(number, place, DataContractError(what, found=f"{sql}, of type {dtype}"))
        conditions[reason] = f"{quoted(ROW)} >= {compiler.first} OR (\n{sql}\n)" if stays else sql
    compiler.keep(number, conditions)


@builds("rename")
def rename(compiler: Compiler, number: int, step: FeatureStep) -> None:
    """Give columns other names, where they are."""
    renamed = _of_present(compiler, number, "rename", step.rename or {})
    names = {name: renamed.get(name, name) for name in compiler.types}
    taken = [new for old, new in names.items() if _occurs_twice(new, names) and old in renamed]
    if taken:
        error = SpecError(f"the name '{taken[0]}' is taken", remedy="give the column another name")
        raise StepProblem(number, ("rename",), error)
    compiler.arrange(number, names)


def _occurs_twice(new: str, names: Mapping[str, str]) -> bool:
    return [each.lower() for each in names.values()].count(new.lower()) > 1


@builds("select")
def select(compiler: Compiler, number: int, step: FeatureStep) -> None:
    """Keep some columns."""
    asked = step.select
    if asked is None:
        return
    place: Location = ("select",) if isinstance(asked, tuple) else ("select", "but")
    named = asked if isinstance(asked, tuple) else asked.but
    for name in named:
        if not _is_absent_target(compiler, name):
            compiler.named(number, place, name)
    present = {name.lower(): name for name in compiler.types}
    kept = [present[name.lower()] for name in selected(asked, list(compiler.types)) if name.lower() in present]
    if not kept:
        raise StepProblem(number, place, SpecError("no column is left"))
    compiler.arrange(number, {name: name for name in kept})


@builds("convert")
def convert(compiler: Compiler, number: int, step: FeatureStep) -> None:
    """Change the types of columns."""
    values = {}
    for name, asked in _of_present(compiler, number, "convert", step.convert or {}).items():
        conversion = asked if isinstance(asked, Conversion) else Conversion(to=asked)
        _require_related(compiler.types[name], conversion.to, number, name)
        values[name] = _converted(quoted(name), compiler.types[name], conversion)
        compiler.type_of(number, ("convert", name), values[name])
    _compute(compiler, number, values)


def _require_related(dtype: str, to: ColumnType, number: int, name: str) -> None:
    """Refuse a moment as a number and the reverse, which say nothing without a unit and an origin."""
    is_moment, becomes_moment = dtype.startswith(("DATE", "TIME")), to in {ColumnType.DATE, ColumnType.TIME}
    if dtype not in {"VARCHAR", '"NULL"'} and to is not ColumnType.TEXT and is_moment is not becomes_moment:
        error = FeatureStepError(
            "the type does not fit the column's values",
            found=f"{dtype} to {to}",
            remedy="derive it, as by epoch(column) or to_timestamp(column)",
        )
        raise StepProblem(number, ("convert", name), error)


def _converted(value: str, dtype: str, conversion: Conversion) -> str:
    """Return the SQL of a conversion; a value that it would change is an error unless that is allowed."""
    target = TYPES[conversion.to]
    is_text = dtype == "VARCHAR"
    present = value
    if conversion.missing:
        words = ", ".join(literal(word.strip()) for word in conversion.missing)
        present = f"CASE WHEN trim(CAST({value} AS VARCHAR)) IN ({words}) THEN NULL ELSE {value} END"
    through = f"CAST({present} AS TIMESTAMP)" if is_text and conversion.to is ColumnType.DATE else present
    cast = f"CAST({through} AS {target})"
    if conversion.lossy:
        return f"CAST(round(CAST({present} AS DOUBLE)) AS BIGINT)" if target == "BIGINT" and is_text else cast
    return f"CASE WHEN {_is_exact(present, through, cast, dtype, conversion.to)} THEN {cast} ELSE error({_INEXACT}) END"


_INEXACT = literal("the value is not the same in the other type")


def _is_exact(present: str, through: str, cast: str, dtype: str, to: ColumnType) -> str:
    """Return the SQL of whether a conversion keeps a value; missing values are kept."""
    if dtype == "VARCHAR" and to is ColumnType.INTEGER:
        return f"({present}) IS NULL OR regexp_full_match(trim({present}), '{_WHOLE_TEXT}')"
    if to is ColumnType.TEXT or (dtype == "VARCHAR" and to is not ColumnType.DATE):
        return "TRUE"  # a text that is not of the type fails by itself
    back = "TIMESTAMP" if dtype == "VARCHAR" else dtype
    return f"({present}) IS NULL OR CAST({cast} AS {back}) = {through}"


@builds("clip")
def clip(compiler: Compiler, number: int, step: FeatureStep) -> None:
    """Set values beyond bounds to the bounds."""
    values = {}
    for name, bounds in _of_present(compiler, number, "clip", step.clip or {}).items():
        if not _is_number(compiler.types[name]):
            error = FeatureStepError(
                "clip does not fit the column: only numbers are clipped",
                found=f"{name}, of type {compiler.types[name]}",
            )
            raise StepProblem(number, ("clip", name), error)
        values[name] = _clipped(quoted(name), compiler.types[name], bounds)
        compiler.type_of(number, ("clip", name), values[name])
    if values:
        compiler.compute(number, values)


def _clipped(value: str, dtype: str, bounds: Bounds) -> str:
    """Return the SQL of a clipped value: whole numbers stay whole under whole bounds."""
    given = [bound for bound in (bounds.min, bounds.max) if bound is not None]
    is_whole = dtype in _WHOLE and all(bound.is_integer() for bound in given)
    low, high = (None if each is None else _number(each, whole=is_whole) for each in (bounds.min, bounds.max))
    below = f"WHEN {value} < {low} THEN {low} " if low is not None else ""
    above = f"WHEN {value} > {high} THEN {high} " if high is not None else ""
    return f"CAST(CASE {below}{above}ELSE {value} END AS {dtype if is_whole or dtype == 'FLOAT' else 'DOUBLE'})"


def _number(value: float, *, whole: bool) -> str:
    return str(int(value)) if whole else f"CAST({value!r} AS DOUBLE)"


@builds("fill")
def fill(compiler: Compiler, number: int, step: FeatureStep) -> None:
    """Replace missing values."""
    values = {}
    fixed = {name: value for name, value in (step.fill or {}).items() if not isinstance(value, FittedFill)}
    for name, value in _of_present(compiler, number, "fill", fixed).items():
        dtype = compiler.types[name]
        if not _fits(value, dtype):
            fitted = f"; write {{strategy: {value}}} for that of the training rows" if value in _STRATEGIES else ""
            error = FeatureStepError(f"the value does not fit the column{fitted}", found=f"{value!r} for type {dtype}")
            raise StepProblem(number, ("fill", name), error)
        is_fraction = isinstance(value, float) and not value.is_integer() and dtype in _WHOLE
        kept = "DOUBLE" if is_fraction else dtype
        values[name] = f"CAST(coalesce({quoted(name)}, CAST({literal(value)} AS {kept})) AS {kept})"
        compiler.type_of(number, ("fill", name), values[name])
    if values:
        compiler.compute(number, values)


_STRATEGIES = ("median", "mean", "most_frequent")


def _fits(value: Scalar, dtype: str) -> bool:
    if isinstance(value, bool) or dtype == "BOOLEAN":
        return isinstance(value, bool) and dtype == "BOOLEAN"
    if isinstance(value, str):
        return dtype == "VARCHAR" or dtype.startswith(("DATE", "TIME"))
    return _is_number(dtype)


def _is_number(dtype: str) -> bool:
    return dtype in _WHOLE or dtype in {"DOUBLE", "FLOAT"} or is_exact_number(dtype)


def _of_present(compiler: Compiler, number: int, kind: str, asked: Mapping[str, Asked]) -> dict[str, Asked]:
    """Return what is asked by the columns' own names; what rows without a target lack for it is left out."""
    resolved = compiler.named if kind == "rename" else compiler.column
    return {
        resolved(number, (kind, name), name): value
        for name, value in asked.items()
        if not _is_absent_target(compiler, name)
    }


def _is_absent_target(compiler: Compiler, name: str) -> bool:
    return not compiler.labelled and not compiler.has([name]) and compiler.lineage.named_for_the_target(name)
