"""The kinds of steps that can see other rows: aggregates over earlier rows or by key, and a whole SELECT."""

from collections.abc import Iterable, Mapping, Sequence

from assay.errors import FeatureStepError, SpecError
from assay.expressions.queries import Query, numbered_query
from assay.features.compiling import ROW, Compiler, Layer, quoted
from assay.features.kinds import builds, is_exact_number, refuse_other_case
from assay.features.parsing import ROWS, StepProblem, parsed_select
from assay.specs.features import Aggregation, FeatureStep, microseconds


@builds("aggregate")
def aggregate(compiler: Compiler, number: int, step: FeatureStep) -> None:
    """Add aggregates of the rows before each row, or make one row of each key."""
    asked = step.aggregate
    if asked is None:
        return
    keys = [compiler.column(number, ("aggregate", "by"), name) for name in asked.by]
    for name in asked.columns:
        for each in compiler.expressions[number, name].columns:
            compiler.column(number, ("aggregate", "columns", name), each)
        refuse_other_case(compiler, number, ("aggregate", "columns", name), name)
    if asked.time is None:
        _group(compiler, number, keys, asked)
    else:
        _look_back(compiler, number, keys, compiler.column(number, ("aggregate", "time"), asked.time), asked)
    _make_plain(compiler, number, asked.columns)


def _look_back(compiler: Compiler, number: int, keys: Sequence[str], time: str, asked: Aggregation) -> None:
    """Add aggregates over the earlier rows of each row's key.

    The windows are computed over the columns that they need alone, and their results put beside the rows by position:
    a window over all columns would sort all of them. Moments are made unique by the row's number, so that the order in
    which numbers are added is always the same.
    """
    if not compiler.types[time].startswith(("TIMESTAMP", "DATE")):
        what = "the column of times holds no times"
        error = FeatureStepError(what, found=f"{time}, of type {compiler.types[time]}")
        raise StepProblem(number, ("aggregate", "time"), error)
    moment = quoted(time) if "ZONE" in compiler.types[time] else f"CAST({quoted(time)} AS TIMESTAMP)"
    row, known = quoted(ROW), f"CAST(epoch_us({moment}) AS HUGEINT) * {_MOST_ROWS}"
    start = "UNBOUNDED" if asked.over is None else f"({microseconds(asked.over)}::HUGEINT * {_MOST_ROWS} + {row})"
    delay = microseconds(asked.delay) if asked.delay is not None else 0
    end = f"({delay}::HUGEINT * {_MOST_ROWS} + 1 + {row})"
    partition = f"PARTITION BY {', '.join(map(quoted, keys))} " if keys else ""
    window = (
        f"WINDOW past AS ({partition}ORDER BY {known} + {row} NULLS LAST "
        f"RANGE BETWEEN {start} PRECEDING AND {end} PRECEDING)"
    )
    found = {name: f"__past_{place}" for place, name in enumerate(asked.columns)}
    seen = ", ".join(
        f"CASE WHEN {quoted(time)} IS NOT NULL THEN {sql.strip()}\n OVER past END AS {found[name]}"
        for name, sql in asked.columns.items()
    )
    past = f"SELECT {seen}, {row} AS __past_row FROM (\n", f"\n) {window}"
    misplaced = f"CASE WHEN {row} = __past_row THEN {{}} ELSE error('a row was put beside another') END AS {{}}"
    made = {name: misplaced.format(column, quoted(name)) for name, column in found.items()}
    columns = [made.pop(name, quoted(name)) for name in compiler.types]
    head = f"SELECT {', '.join((*columns, *made.values(), row))} FROM (\n"
    parts = (head, f"\n) POSITIONAL JOIN (SELECT * FROM ({past[0]}", f"{past[1]}) ORDER BY __past_row)")
    compiler.add(Layer(number, parts, tuple(asked.columns)), ("aggregate",))


_MOST_ROWS = 1 << 33
"""More rows than a partition has: moments are multiplied by it to make room for the row's number."""


def _group(compiler: Compiler, number: int, keys: Sequence[str], asked: Aggregation) -> None:
    """Make one row of each key, in the order of the keys."""
    named = ", ".join(map(quoted, keys))
    values = ", ".join(f"{sql.strip()}\n AS {quoted(name)}" for name, sql in asked.columns.items())
    _refuse_taken([*keys, *asked.columns], number)
    head = f"SELECT *, row_number() OVER () - 1 AS {quoted(ROW)} FROM (SELECT {named}, {values} FROM (\n"
    parts = (head, f"\n) GROUP BY {named} ORDER BY {named})")
    compiler.add(Layer(number, parts, tuple(asked.columns), ordered=True), ("aggregate",))
    compiler.keeps_rows = False


def _refuse_taken(names: Sequence[str], number: int) -> None:
    twice = [name for name in names if [each.lower() for each in names].count(name.lower()) > 1]
    if twice:
        error = SpecError(f"the name '{twice[0]}' is taken", remedy="give the column another name")
        raise StepProblem(number, ("aggregate", "columns"), error)


def _make_plain(compiler: Compiler, number: int, names: Iterable[str]) -> None:
    """Make floats of exact decimals and of very large integers, and refuse infinities."""
    exact = [name for name in names if is_exact_number(compiler.types[name])]
    if exact:
        compiler.compute(number, {name: f"CAST({quoted(name)} AS DOUBLE)" for name in exact})
    compiler.require_finite(number, names)


@builds("sql")
def select_whole(compiler: Compiler, number: int, step: FeatureStep) -> None:
    """Replace the rows by those of a SELECT; rows that stay rows keep their order."""
    if step.sql is None:
        return None
    query, before = parsed_select(compiler.connection, number, step.sql), compiler.types
    if query.keeps_rows and _kept(compiler, number, query):
        return _finish_select(compiler, number, before)
    others = f"SELECT * EXCLUDE ({quoted(ROW)}) FROM (\n"
    head = f"WITH {ROWS} AS NOT MATERIALIZED ({others}"
    numbered = f"SELECT *, row_number() OVER () - 1 AS {quoted(ROW)}"
    parts = (head, f"\n)) {numbered} FROM (SELECT * FROM (\n{query.sql}\n) ORDER BY ALL)")
    compiler.add(Layer(number, parts, ordered=True), ("sql",))
    compiler.keeps_rows = False
    return _finish_select(compiler, number, before)


def _kept(compiler: Compiler, number: int, query: Query) -> bool:
    """Add the layer of a SELECT whose rows keep the hidden number, listed or by a star; return whether it has any."""
    has_star = any(name == "*" for name, _ in query.items)
    sql = query.sql if has_star else numbered_query(compiler.connection, query.sql, ROW)
    parts = (
        f"WITH {ROWS} AS NOT MATERIALIZED (\n",
        f"\n) SELECT * FROM (\n{sql}\n) ORDER BY {quoted(ROW)}",
    )
    described = compiler.columns_of(parts)
    if described is None or [name for name in described if name.startswith(ROW)] != [ROW]:
        return False
    compiler.add(Layer(number, parts, ordered=True), ("sql",))
    return True


def _finish_select(compiler: Compiler, number: int, before: Mapping[str, str]) -> None:
    made = [name for name, dtype in compiler.types.items() if before.get(name) != dtype]
    _make_plain(compiler, number, made)
