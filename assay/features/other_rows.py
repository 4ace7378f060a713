"""The kinds of steps that see other rows: aggregates over earlier rows or by key, other sources, a whole SELECT."""

from collections.abc import Iterable, Mapping, Sequence

from assay.errors import FeatureStepError, MissingColumnError, SpecError, did_you_mean
from assay.expressions.queries import Query, numbered_query
from assay.features.compiling import GROUP, ROW, Compiler, Layer, joined_name, quoted
from assay.features.kinds import TYPES, builds, is_exact_number, refuse_other_case
from assay.features.parsing import ROWS, StepProblem
from assay.specs.features import Aggregation, FeatureStep
from assay.specs.other_sources import AsOf, Join, microseconds


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

    Moments are made unique by the row's number, so that the order in which numbers are added is always the same.
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
    parted = [*map(quoted, keys), *([f"{row} >= {compiler.first}"] if number in compiler.alone else [])]
    partition = f"PARTITION BY {', '.join(parted)} " if parted else ""
    window = (
        f"WINDOW past AS ({partition}ORDER BY {known} + {row} NULLS LAST "
        f"RANGE BETWEEN {start} PRECEDING AND {end} PRECEDING)"
    )
    seen = {
        name: f"CASE WHEN {quoted(time)} IS NOT NULL THEN {sql.strip()}\n OVER past END"
        for name, sql in asked.columns.items()
    }
    parts = f"SELECT {_columns(compiler, seen)} FROM (\n", f"\n) {window}"
    compiler.add(Layer(number, parts, tuple(asked.columns), disorders=True), ("aggregate",))


def _columns(compiler: Compiler, values: Mapping[str, str], table: str = "") -> str:
    """Return SQL's list of the rows' columns, with values in place of present ones or after them."""
    made = {name: f"{sql} AS {quoted(name)}" for name, sql in values.items()}
    kept = [made.pop(name, table + quoted(name)) for name in compiler.types]
    return ", ".join((*kept, *made.values(), *(table + name for name in compiler.hidden)))


_MOST_ROWS = 1 << 33
"""More rows than a partition has: moments are multiplied by it to make room for the row's number."""


def _group(compiler: Compiler, number: int, keys: Sequence[str], asked: Aggregation) -> None:
    """Make one row of each key, in the order of the keys."""
    named = ", ".join(map(quoted, keys))
    values = ", ".join(f"{sql.strip()}\n AS {quoted(name)}" for name, sql in asked.columns.items())
    _refuse_taken([*keys, *asked.columns], number)
    of = f"bit_xor(hash({quoted(GROUP if compiler.grouped else ROW)})) AS {quoted(GROUP)}"
    numbered = f"SELECT *, row_number() OVER () - 1 AS {quoted(ROW)}"
    parts = (f"{numbered} FROM (SELECT {named}, {values}, {of} FROM (\n", f"\n) GROUP BY {named} ORDER BY {named})")
    compiler.add(Layer(number, parts, tuple(asked.columns), ordered=True), ("aggregate",))
    compiler.keeps_rows, compiler.grouped = False, True


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


@builds("join")
def join(compiler: Compiler, number: int, step: FeatureStep) -> None:
    """Add columns of another source: of the row with the same key, or of the newest that was known."""
    asked = step.join
    if asked is None:
        return
    other = compiler.tables[asked.table]
    keys = [
        (compiler.column(number, ("join", "on"), left), _of_other(other, asked, number, "on", right))
        for left, right in asked.keys.items()
    ]
    for left, right in keys:
        _require_alike(compiler.types[left], other[right], f"{left} and {right}", number, "on")
    columns = _added(other, asked, number)
    taken = [new for new in columns.values() if compiler.has([new])]
    if taken:
        error = SpecError(f"the name '{taken[0]}' is taken", remedy="give the column another name in join.columns")
        raise StepProblem(number, ("join", "columns"), error)
    conditions = [f"l.{quoted(left)} = r.{quoted(right)}" for left, right in keys]
    kind = "LEFT"
    if asked.as_of is not None:
        conditions.append(_known(compiler, other, asked, asked.as_of, number))
        kind = "ASOF LEFT"
    values = {new: f"r.{quoted(old)}" for old, new in columns.items()} | {_FOUND: "r.__found"}
    right = f"SELECT *, TRUE AS __found FROM {quoted(joined_name(asked.table))}"
    parts = (
        f"SELECT {_columns(compiler, values, 'l.')} FROM (\n",
        f"\n) l {kind} JOIN ({right}) r ON {' AND '.join(conditions)}",
    )
    compiler.add(Layer(number, parts, tuple(values), disorders=True), ("join",))
    if asked.type == "inner":
        compiler.keep(number, {f"no row of {asked.table}": _FOUND})
    compiler.arrange(number, {name: name for name in compiler.types if name != _FOUND})
    _make_plain(compiler, number, columns.values())


_FOUND = "__found"


def _known(compiler: Compiler, other: Mapping[str, str], asked: Join, as_of: AsOf, number: int) -> str:
    """Return the condition that a row of the other source was known at the time of a row."""
    left = compiler.column(number, ("join", "as_of", "left"), as_of.left)
    right = _of_other(other, asked, number, "as_of", as_of.right)
    for name, dtype in ((left, compiler.types[left]), (right, other[right])):
        if not dtype.startswith(("TIMESTAMP", "DATE")):
            error = FeatureStepError("the column of times holds no times", found=f"{name}, of type {dtype}")
            raise StepProblem(number, ("join", "as_of"), error)
    _require_alike(compiler.types[left], other[right], f"{left} and {right}", number, "as_of")
    delay = microseconds(as_of.delay) if as_of.delay is not None else 0
    return f"{_moment('l', left, compiler.types[left])} - {delay} >= {_moment('r', right, other[right])}"


def _moment(table: str, name: str, dtype: str) -> str:
    column = f"{table}.{quoted(name)}"
    return f"epoch_us({column if 'ZONE' in dtype else f'CAST({column} AS TIMESTAMP)'})"


def _require_alike(one: str, other: str, names: str, number: int, part: str) -> None:
    """Refuse to compare a text with a number, or a time that has a zone with one that has none."""
    if '"NULL"' in {one, other}:  # a column without a value
        return
    kinds = [(each == "VARCHAR", "ZONE" in each) for each in (one, other)]
    if kinds[0] != kinds[1]:
        error = FeatureStepError(
            f"{names} are of types that are not compared",
            found=f"{one} and {other}",
            remedy="convert the rows' column by a step before",
        )
        raise StepProblem(number, ("join", part), error)


def _added(other: Mapping[str, str], asked: Join, number: int) -> dict[str, str]:
    """Return the new names by the other source's columns that are added."""
    if isinstance(asked.columns, dict):
        return {_of_other(other, asked, number, "columns", old): new for old, new in asked.columns.items()}
    used = {name.lower() for name in asked.keys.values()} | ({asked.as_of.right.lower()} if asked.as_of else set())
    named = asked.columns or [name for name in other if name.lower() not in used]
    return {name: name for name in (_of_other(other, asked, number, "columns", each) for each in named)}


def _of_other(other: Mapping[str, str], asked: Join, number: int, part: str, name: str) -> str:
    """Return a column's name as the other source has it.

    Raises:
        StepProblem: there is no such column.
    """
    found = next((each for each in other if each.lower() == name.lower()), None)
    if found is None:
        raise StepProblem(
            number,
            ("join", part),
            MissingColumnError(
                f"{asked.table} has no column '{name}'{did_you_mean(name, other)}",
                found=f"columns {', '.join(other)}",
                remedy="correct the name",
            ),
        )
    return found


@builds("sql")
def select_whole(compiler: Compiler, number: int, _step: FeatureStep) -> None:
    """Replace the rows by those of a SELECT; rows that stay rows keep their order."""
    query, before = compiler.queries[number], compiler.types
    compiler.read_all()
    if query.keeps_rows and _kept(compiler, number, query):
        return _finish_select(compiler, number, before)
    others = f"SELECT * EXCLUDE ({', '.join(compiler.hidden)}) FROM (\n"
    head = f"WITH {_tables(compiler)}{ROWS} AS NOT MATERIALIZED ({others}"
    numbered = f"SELECT *, row_number() OVER () - 1 AS {quoted(ROW)}"
    parts = (head, f"\n)) {numbered} FROM (SELECT * FROM (\n{query.sql}\n) ORDER BY ALL)")
    compiler.add(Layer(number, parts, ordered=True), ("sql",))
    compiler.keeps_rows, compiler.grouped = False, False
    return _finish_select(compiler, number, before)


def _kept(compiler: Compiler, number: int, query: Query) -> bool:
    """Add the layer of a SELECT whose rows keep the hidden number, listed or by a star; return whether it has any."""
    has_star = any(name == "*" for name, _ in query.items)
    sql = query.sql if has_star else numbered_query(compiler.connection, query.sql, ROW)
    parts = (
        f"WITH {_tables(compiler)}{ROWS} AS NOT MATERIALIZED (\n",
        f"\n) SELECT * FROM (\n{sql}\n) ORDER BY {quoted(ROW)}",
    )
    described = compiler.columns_of(parts)
    if described is None or [name for name in described if name.startswith(ROW)] != [ROW]:
        return False
    compiler.grouped = GROUP in described
    compiler.add(Layer(number, parts, ordered=True, drops=True), ("sql",))
    return True


@builds("python")
def as_declared(compiler: Compiler, number: int, step: FeatureStep) -> None:
    """Take the columns that a function of Python is said to give; it is never computed here."""
    compiler.read_all()
    for name in step.gives or {}:
        refuse_other_case(compiler, number, ("gives", name), name)
    compiler.compute(number, {name: f"CAST(NULL AS {TYPES[to]})" for name, to in (step.gives or {}).items()})


def _tables(compiler: Compiler) -> str:
    """Return the tables that a SELECT may read beside the rows, as parts of its WITH."""
    given = ((name, quoted(joined_name(name))) for name in compiler.read_by_name)
    return "".join(f"{quoted(name)} AS NOT MATERIALIZED (SELECT * FROM {rows}), " for name, rows in given)


def _finish_select(compiler: Compiler, number: int, before: Mapping[str, str]) -> None:
    made = [name for name, dtype in compiler.types.items() if before.get(name) != dtype]
    _make_plain(compiler, number, made)
