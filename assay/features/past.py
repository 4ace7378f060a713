"""The check that no row of the feature set saw rows that were not known yet.

It trusts no declaration. The steps are run again on the rows before a few moments, and every row must come out as it
did among all rows: what differs saw later rows. Of steps that group rows, each group whose rows all lie before the
moment must come out the same. Without a column of times they are run on each of two halves of the
rows: what differs depends on unrelated rows, as a mean over the whole table does, which leaks the holdout. Steps that
compute with the values of one row alone cannot see others, and are not run again.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.dataset import Dataset
from assay.data.schema import require_column
from assay.errors import LaterRowsError
from assay.features.differences import Cut, Difference, difference_of
from assay.features.history import History
from assay.features.joined_tables import NONE_JOINED, Joined, JoinedTables, known_before, times_of, written_once
from assay.features.running import FeatureRows, features_of, numbered, run_again, run_steps
from assay.specs.features import FeaturesSpec
from assay.specs.pipeline import PipelineSpec

_Runs: TypeAlias = tuple[Callable[..., FeatureRows], Callable[..., FeatureRows]]
"""How the steps are run on all rows, and on the rows of a cut."""
_SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Of the rows in each repetition: together less than one more run of all."""
_USE_TIME = "compute with earlier rows alone, as `aggregate` with `time` does"
_NAME_TIME = (
    "name the column of times in features.time and compute with earlier rows alone; what is fitted on rows, as a mean "
    "is, belongs into the model's preprocessing"
)


def require_known_in_time(
    source: Dataset,
    made: FeatureRows,
    spec: PipelineSpec,
    *,
    where: str,
    joined: Joined | JoinedTables = NONE_JOINED,
    history: History | None = None,
) -> str:
    """Check that the feature set of labelled rows saw no row that was not known yet.

    Returns:
        What was checked, for people.

    Raises:
        LaterRowsError: names the step, the column and the first row.
        FeatureStepError: a step cannot be computed without the later rows.
        MissingColumnError: the source has no column `features.time`.
    """
    features = _unbounded(features_of(spec))
    if features.is_of_rows_alone:
        return "each step computes with the values of one row alone"
    with written_once(joined, features, where) as tables:
        return _compared(source, made, spec, features, tables, history, where)


def _compared(
    source: Dataset,
    made: FeatureRows,
    spec: PipelineSpec,
    features: FeaturesSpec,
    tables: JoinedTables,
    history: History | None,
    where: str,
) -> str:
    """Run the steps again on each cut of the rows, and of the tables that a SELECT reads."""
    time = _time_column(spec, source.table)
    if not made.keeps_rows and (made.groups is None or time is None):
        return "not comparable: the steps group rows" + ("" if time is not None else ", and features.time is not named")
    rows = numbered(source.table.replace_schema_metadata(), history)
    cuts = list(_by_time(rows.column(time), time) if time is not None else _halves(rows.num_rows))
    run, times = partial(run_steps, schema=source.schema, spec=spec, where=where), times_of(features, tables)
    grouping = _groupings(features)[-1:]
    for last in grouping:  # which rows are grouped must not follow from later ones either
        head = features.model_copy(update={"steps": features.steps[:last]})
        if not head.is_of_rows_alone:
            before = run(rows, features=head, joined=tables, history=history)
            _compared(source, before, spec, head, tables, history, where)
    base = _base_of_groups(features)
    at_once: list[FeatureRows] = []
    if made.computed is not None and not times and cuts:  # what no step computes with is the same among any rows
        read = rows.drop_columns(sorted(made.absent))
        parts = (_behind(_known(history, time, cut), read.filter(pa.array(cut.rows)), where) for cut in cuts)
        at_once = run_again(parts, source, spec, features, where=where, joined=tables, history=history)
    for number, cut in enumerate(cuts):
        with known_before(tables, times, cut.moment) as known:
            earlier = _known(history, time, cut)
            again = (
                at_once[number]
                if at_once
                else run(rows.filter(pa.array(cut.rows)), features=features, joined=known, history=earlier)
            )
            both = partial(run, joined=tables, history=history), partial(run, joined=known, history=earlier)
            bases = None if base is None else _of_both(both, rows, base, cut)
            if difference_of(made, again, cut, bases) is not None:
                raise _error(both, source, spec, features, cut, time=time, history=history, where=where)
    return _same_among(cuts, keeps_rows=made.keeps_rows)


def _same_among(cuts: Sequence[Cut], *, keeps_rows: bool) -> str:
    if not cuts:
        return "not compared: there are too few rows"
    same = "every row" if keeps_rows else "every group of the same rows"
    return f"{same} came out the same among all rows and among {'; '.join(cut.text for cut in cuts)}"


def _groupings(features: FeaturesSpec) -> list[int]:
    return [n for n, step in enumerate(features.steps) if step.aggregate is not None and step.aggregate.time is None]


def _base_of_groups(features: FeaturesSpec) -> FeaturesSpec | None:
    """Return the steps up to the last that groups rows, where a step behind it may drop groups by what others are."""
    last = max(_groupings(features), default=len(features.steps))
    behind = features.steps[last + 1 :]
    if all(step.is_of_rows_alone for step in behind):
        return None
    return features.model_copy(update={"steps": features.steps[: last + 1]})


def _of_both(runs: _Runs, rows: pa.Table, features: FeaturesSpec, cut: Cut) -> tuple[FeatureRows, FeatureRows]:
    """Return what some steps make of all rows, and of those of a cut."""
    return runs[0](rows, features=features), runs[1](rows.filter(pa.array(cut.rows)), features=features)


def _known(history: History | None, time: str | None, cut: Cut) -> History | None:
    """Return the rows of earlier partitions that were known at the moment of a cut."""
    if history is None or time is None or cut.moment is None:
        return history
    return history.before(time, cut.moment)


def _behind(history: History | None, rows: pa.Table, where: str) -> pa.Table:
    return rows if history is None else history.in_front_of(rows, where)


def _unbounded(features: FeaturesSpec) -> FeaturesSpec:
    """Return the steps without bounds of dropped rows, which are of all rows."""
    steps = tuple(step.model_copy(update={"max_dropped": None}) for step in features.steps)
    return features.model_copy(update={"steps": steps, "max_dropped": None})


def _time_column(spec: PipelineSpec, table: pa.Table) -> str | None:
    features = features_of(spec)
    if features.time is not None:
        require_column(table, features.time, where="features.time")
    declared = [features.time, spec.dataset.partitions.column]
    declared += [step.aggregate.time for step in features.steps if step.aggregate is not None]
    return next((name for name in declared if name is not None and name in table.column_names), None)


def _by_time(times: pa.ChunkedArray, name: str) -> Iterator[Cut]:
    """Yield the rows before each of a few moments; rows without a time are never among them."""
    known = times.drop_null()
    seen: set[Any] = set()
    for moment in _quantiles(known):
        before = pc.fill_null(pc.less(times, moment), False).to_numpy()
        if moment not in seen and before.any():
            yield Cut(before, f"those with {name} before {moment.as_py()}", moment)
        seen.add(moment)


def _quantiles(values: pa.ChunkedArray) -> "Iterator[pa.Scalar[Any]]":
    """Yield the values that some shares of all are below; none where there are none."""
    places = [int(share * len(values)) for share in _SHARES] if len(values) else []
    if places and pa.types.is_temporal(values.type):
        wide = pa.int32() if values.type.bit_width == 32 else pa.int64()  # noqa: PLR2004 - bits of dates
        ordered = np.partition(values.cast(wide).to_numpy(), places)
        yield from pa.array(ordered[places], wide).cast(values.type)
    elif places:
        order = pc.sort_indices(values)
        yield from (values[order[place].as_py()] for place in places)


def _halves(rows: int) -> Iterator[Cut]:
    """Yield two halves of the rows, without any order that the rows may have."""
    mixed = np.random.default_rng(0).permutation(rows) % 2 == 0
    if rows > 1:
        yield Cut(mixed, "one half of the rows")
        yield Cut(~mixed, "the other half")


def _error(  # noqa: PLR0913 - what it names
    runs: _Runs,
    source: Dataset,
    spec: PipelineSpec,
    features: FeaturesSpec,
    cut: Cut,
    *,
    time: str | None,
    history: History | None,
    where: str,
) -> LaterRowsError:
    """Find the first step after which the rows differ, and return the error that names it."""
    table = numbered(source.table.replace_schema_metadata(), history)
    step, difference = _first_step(runs, table, features, cut)
    hidden = not spec.validation.show_values or any(column.pii for column in source.schema.columns)
    all_rows, some_rows = ("***", "***") if hidden else difference.values
    column = f"column '{difference.column}' of " if difference.column else ""
    row, at = f"row {difference.row + 1:,}", ""
    if difference.is_of_group:
        row += " of the groups"
    elif time is not None and not hidden:
        at = f" ({time} = {source.table.column(time)[difference.row].as_py()})"
    what = "a step sees rows that were not known yet" if time is not None else "a step makes rows depend on others"
    return LaterRowsError(
        what,
        where=f"{where}, features: {features.title(step)}",
        found=f"{column}{row}{at} is {all_rows} among all rows, and {some_rows} among "
        f"{'some of them' if hidden else cut.text}",
        expected="the same among the rows that were known" if time is not None else "the same among any rows",
        remedy=_USE_TIME if time is not None else _NAME_TIME,
    )


def _first_step(runs: _Runs, table: pa.Table, features: FeaturesSpec, cut: Cut) -> tuple[int, Difference]:
    for number, step in enumerate(features.steps):
        if step.is_of_rows_alone:
            continue
        steps = features.model_copy(update={"steps": features.steps[: number + 1]})
        base = _base_of_groups(steps)
        bases = None if base is None else _of_both(runs, table, base, cut)
        difference = difference_of(*_of_both(runs, table, steps, cut), cut, bases)
        if difference is not None:
            return number, difference
    return len(features.steps) - 1, Difference(int(np.flatnonzero(cut.rows)[0]), "", ("there", "not there"))
