"""The steps over the rows of one partition: rows out, and how many each step dropped."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from assay.data.schema import TableSchema, dtype_name
from assay.errors import AssayError, FeatureStepError
from assay.features.compiling import BEFORE
from assay.features.engine import FEATURES, ROWS, SPILL, Failure, engine_connection
from assay.features.lineage import Lineage
from assay.features.parsing import StepProblem
from assay.features.plan import Plan, compiled
from assay.reading.confined import Confinement
from assay.reading.files import mapped_table
from assay.reading.sandbox import ChildEnd, exceeded_limit, run_child
from assay.scratch import scratch_folder
from assay.specs.dataset import ReadLimits
from assay.specs.features import FeaturesSpec
from assay.specs.pipeline import PipelineSpec

_CHILD = "assay.features.engine"
_SHOWN_COLUMNS = 6
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class StepCount:
    """What one condition of a filter did.

    Attributes:
        step: title of the step.
        reason: why the rows were dropped; the condition where the file names no reason.
        rows_in: rows before it.
        dropped: rows for which it is not true.
    """

    step: str
    reason: str
    rows_in: int
    dropped: int


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """The rows after all steps.

    Attributes:
        table: the rows, in the order of the source's.
        counts: of each condition, in order.
        lineage: from what each column is computed.
        skipped: columns that were not made, as the rows are only predicted.
    """

    table: pa.Table
    counts: tuple[StepCount, ...]
    lineage: Lineage
    skipped: tuple[str, ...]


def run_steps(table: pa.Table, schema: TableSchema, spec: PipelineSpec, *, where: str, labelled: bool) -> FeatureRows:
    """Run the steps of `features`.

    Args:
        table: the source's rows.
        schema: of the table; values of columns marked `pii` are not shown in errors.
        spec: the pipeline.
        where: asset and partition, for errors.
        labelled: whether the rows have a target, see `compiled`.

    Raises:
        SpecError: a step cannot be computed whatever the rows.
        FeatureStepError: a step cannot be computed for a row, or drops more rows than it may.
        MissingColumnError: a step names a column that the rows lack.
    """
    features = _features(spec)
    table = table.replace_schema_metadata()
    try:
        with engine_connection() as connection:
            plan = compiled(
                connection, features, table.schema, spec.dataset.target, nan=_with_nan(table), labelled=labelled
            )
    except StepProblem as problem:
        error = problem.error
        error.where = f"{where}, {_title(features, problem.number)}"
        raise error from problem
    hidden = {each.name for each in schema.columns if each.pii or not spec.validation.show_values}
    made, stay = _run(table, plan, spec, hidden, where)
    counts = tuple(_counts(features, plan, table.num_rows, stay))
    _require_enough(features, counts, table.num_rows, where)
    return FeatureRows(_in_source_types(made, table, plan), counts, plan.lineage, plan.skipped)


def _features(spec: PipelineSpec) -> FeaturesSpec:
    if spec.features is None:
        msg = "the steps of a pipeline without `features` were asked for"
        raise TypeError(msg)
    return spec.features


def _with_nan(table: pa.Table) -> list[str]:
    """Return the columns of floats that hold NaN, which is missing for every rule and larger than all for DuckDB."""
    floats = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    return [name for name in floats if pc.any(pc.is_nan(table.column(name))).as_py()]


def _title(features: FeaturesSpec, number: int) -> str:
    return "features" if number == BEFORE else f"features: {features.title(number)}"


def _run(
    table: pa.Table, plan: Plan, spec: PipelineSpec, hidden: set[str], where: str
) -> tuple[pa.Table, list[list[int]]]:
    """Compute the plan in a confined process; returns the rows, and the rows that stay after each condition."""
    limits = spec.dataset.limits
    with scratch_folder("features") as name:
        folder = Path(name)
        (folder / SPILL).mkdir()
        confinement = _written(table, folder / ROWS, limits)
        request = {
            "folder": str(folder.absolute()),
            "layers": [asdict(layer) for layer in plan.layers],
            "confinement": confinement.to_plain(),
            "threads": os.cpu_count() or 1,
            "parent": os.getpid(),
        }
        end = run_child(_CHILD, json.dumps(request), folder, wall_seconds=confinement.wall_seconds)
        if end.code == 0 and "stay" in end.answer:
            return mapped_table(folder / FEATURES), end.answer["stay"]
    if end.code == 0 and "failure" in end.answer:
        raise _row_error(Failure(**end.answer["failure"]), table, plan, _features(spec), hidden, where)
    raise _stopped(end, confinement, where)


def _written(table: pa.Table, path: Path, limits: ReadLimits) -> Confinement:
    with pa.ipc.new_file(path, table.schema) as out:
        out.write_table(table)
    return Confinement.of(limits, path.stat().st_size)


def _row_error(
    failure: Failure, table: pa.Table, plan: Plan, features: FeaturesSpec, hidden: set[str], where: str
) -> AssayError:
    column = f", column '{failure.column}'" if failure.column else ""
    values = _values(table, failure, plan, hidden)
    may_quote = hidden & set(table.column_names)
    text = failure.text.partition(":")[0] if may_quote else failure.text
    row = f"row {failure.row + 1:,} of the source's rows" if failure.row is not None else ""
    return FeatureStepError(
        "a step cannot be computed for a row",
        where=f"{where}, {_title(features, failure.step)}{column}",
        found="; ".join(filter(None, (text, row, values))),
        remedy="correct the value, drop such rows by a filter before the step, or let the expression allow for them, "
        "as `x / nullif(y, 0)` does",
    )


def _values(table: pa.Table, failure: Failure, plan: Plan, hidden: set[str]) -> str:
    """Return the source's values in the row that fails, of the columns that the step reads."""
    if failure.row is None:
        return ""
    read = plan.lineage.sources_of(failure.step, failure.column)
    names = [name for name in table.column_names if name.lower() in read][:_SHOWN_COLUMNS]
    shown = {name: "***" if name in hidden else str(table.column(name)[failure.row].as_py()) for name in names}
    return ", ".join(f"{name} = {text[:_LONGEST]}" for name, text in shown.items())


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


def _counts(features: FeaturesSpec, plan: Plan, rows: int, stay: Sequence[Sequence[int]]) -> Iterator[StepCount]:
    filters = [layer for layer in plan.layers if layer.conditions]
    for layer, staying in zip(filters, stay, strict=True):
        for (reason, condition), left in zip(layer.conditions.items(), staying, strict=True):
            yield StepCount(features.title(layer.step), reason or f"not: {condition.strip()}", rows, rows - left)
            rows = left


def _require_enough(features: FeaturesSpec, counts: Sequence[StepCount], rows: int, where: str) -> None:
    """Refuse rows of which more were dropped than the file allows.

    Raises:
        FeatureStepError: a step, or all together, dropped a larger share.
    """
    bounds: dict[str, float | None] = {features.title(n): step.max_dropped for n, step in enumerate(features.steps)}
    for title, bound in bounds.items():
        of_step = [count for count in counts if count.step == title]
        if bound is not None and of_step:
            _require_share(of_step, of_step[0].rows_in, bound, f"{where}, features: {title}", "the step's max_dropped")
    if features.max_dropped is not None:
        _require_share(counts, rows, features.max_dropped, f"{where}, features", "features.max_dropped")


def _require_share(counts: Sequence[StepCount], rows: int, bound: float, where: str, setting: str) -> None:
    dropped = sum(count.dropped for count in counts)
    if dropped <= bound * rows:
        return
    reasons = "; ".join(f"{count.dropped:,} by {count.reason}" for count in counts if count.dropped)
    raise FeatureStepError(
        "more rows are dropped than allowed",
        where=where,
        found=f"{dropped:,} of {rows:,} rows ({dropped / rows:.1%}): {reasons}",
        expected=f"at most {bound:.1%}",
        remedy=f"correct the data or the conditions, or raise {setting}",
    )


def _in_source_types(made: pa.Table, source: pa.Table, plan: Plan) -> pa.Table:
    """Return unchanged columns in the source's own types: DuckDB has fewer units of time, and one zone."""
    for position, (name, origin) in enumerate(plan.columns.items()):
        found = made.column(position)
        wanted = source.schema.field(origin).type if origin is not None else found.type
        if dtype_name(wanted) != dtype_name(found.type):
            made = made.set_column(position, name, found.cast(wanted))
    return made


def dropped_in_words(counts: Sequence[StepCount]) -> dict[str, str]:
    """Return by the title of each step what it dropped, for people."""
    found: dict[str, list[str]] = {}
    for each in counts:
        found.setdefault(each.step, []).append(f"{each.dropped:,} of {each.rows_in:,} ({each.reason})")
    return {title: ", ".join(texts) for title, texts in found.items()}
