"""The engine in a confined process, or in this one: a plan's rows, or the error that names step, column and row."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from assay.errors import AssayError, FeatureStepError, Location
from assay.features.carried import completed, handed_over, wanted
from assay.features.compiling import BEFORE
from assay.features.engine import FEATURES, ROWS, SPILL
from assay.features.first_failure import Failure
from assay.features.history import History
from assay.features.joined_tables import JoinedTables, write_arrow
from assay.features.plan import Plan
from assay.features.prepared import PreparedSteps
from assay.reading.confined import Confinement
from assay.reading.files import mapped_table
from assay.reading.sandbox import ChildEnd, exceeded_limit, run_child
from assay.scratch import scratch_folder
from assay.specs.features import FeaturesSpec
from assay.specs.pipeline import PipelineSpec

Computed: TypeAlias = tuple[pa.Table, list[list[int]]]
_CHILD = "assay.features.engine"
_SHOWN_COLUMNS = 6
_LONGEST = 60


def title_of(features: FeaturesSpec, number: int) -> str:
    """Return what a step is called in errors."""
    return "features" if number == BEFORE else f"features: {features.title(number)}"


@dataclass(frozen=True, slots=True)
class StepEngine:
    """Computes plans for the rows of a partition.

    Attributes:
        spec: the pipeline.
        features: its steps.
        where: asset and partition, for errors.
        personal: names of columns whose values are not shown in errors.
        tables: the joined sources.
        source: the rows before all steps, to show the values of one that fails.
        prepared: computes plans in this process; None for a process of their own, with limits.
        history: rows of earlier partitions; None where no window reaches into them.
    """

    spec: PipelineSpec
    features: FeaturesSpec
    where: str
    personal: frozenset[str]
    tables: JoinedTables
    source: pa.Table
    prepared: PreparedSteps | None
    history: History | None = None

    @property
    def first(self) -> int:
        """The number of the partition's first row."""
        return self.history.first if self.history is not None else 0

    def computed(self, tables: Iterable[pa.Table], plan: Plan, *, alone: bool = False) -> list[Computed]:
        """Compute a plan for some tables, one after the other in one process.

        Args:
            tables: the rows, numbered, of which NaN are null.
            plan: of the steps.
            alone: whether unchanged columns are left out of the result; then one table at a time is in memory, and it
                has the rows of earlier partitions already.

        Returns:
            Of each table the rows, and how many stay after each condition.

        Raises:
            FeatureStepError: a step cannot be computed for a row, or takes more than it may.
        """
        with scratch_folder("features") as name:
            folder = Path(name)
            (folder / SPILL).mkdir()
            beside = alone and plan.carries
            kept, size, runs = [], 0, 0
            for table in tables:
                path = folder / f"{ROWS}-{runs}"
                rows = handed_over(table, plan)
                if plan.first and not alone and self.history is not None:
                    rows = self.history.in_front_of(rows, self.where)
                write_arrow(rows, path)
                kept += [] if beside else [table]
                size, runs = size + path.stat().st_size, runs + 1
            confinement = Confinement.of(self.spec.dataset.limits, size)
            request = {
                "folder": str(folder.absolute()),
                "absent": dict(plan.absent),
                "wanted": wanted(plan),
                "first": plan.first,
                "runs": runs,
            }
            end = self._end_of(request, plan, confinement)
            if end.code == 0 and "stay" in end.answer:
                made = [mapped_table(folder / f"{FEATURES}-{number}") for number in range(runs)]
                if not beside:
                    made = [completed(each, table, plan) for each, table in zip(made, kept, strict=True)]
                return list(zip(made, end.answer["stay"], strict=True))
        if end.code == 0 and "failure" in end.answer:
            raise self._row_error(Failure(**end.answer["failure"]), plan)
        raise _stopped(end, confinement, self.where)

    def _end_of(self, request: dict[str, Any], plan: Plan, confinement: Confinement) -> ChildEnd:
        if self.prepared is not None:
            return ChildEnd(0, 0.0, 0, False, self.prepared.computed(request, plan.layers), "")
        request |= {
            "tables": {name: str(path) for name, path in self.tables.files.items()},
            "layers": [asdict(layer) for layer in plan.layers],
            "confinement": confinement.to_plain(),
            "threads": os.cpu_count() or 1,
            "parent": os.getpid(),
        }
        return run_child(_CHILD, json.dumps(request), Path(request["folder"]), wall_seconds=confinement.wall_seconds)

    def hides(self, names: Sequence[str]) -> bool:
        """Whether a text that may quote values of some columns is withheld."""
        return not self.spec.validation.show_values or bool(self.personal & set(names))

    def _row_error(self, failure: Failure, plan: Plan) -> AssayError:
        column = f", column '{failure.column}'" if failure.column else ""
        failure, origin, source = self._in_origin(failure)
        text = failure.text.partition(":")[0] if self.hides(self.source.column_names) else failure.text
        row = f"row {failure.row + 1:,} of {origin}" if failure.row is not None else ""
        return FeatureStepError(
            "a step cannot be computed for a row",
            location=Location(row=None if failure.row is None else failure.row + 1, column=failure.column or ""),
            where=f"{self.where}, {title_of(self.features, failure.step)}{column}",
            found="; ".join(filter(None, (text, row, self._values(failure, plan, source)))),
            remedy="correct the value, drop such rows by a filter before the step, or let the expression allow for "
            "them, as `x / nullif(y, 0)` does",
        )

    def _in_origin(self, failure: Failure) -> tuple[Failure, str, pa.Table]:
        """Return a failure with the number of its row in the rows that it is one of; these; and what they are."""
        row, history = failure.row, self.history
        if row is None or history is None:
            return failure, "the source's rows", self.source
        if row < history.first:
            text = f"the rows of earlier partitions ({', '.join(history.read)})"
            return failure, text, history.table
        return replace(failure, row=row - history.first), "the source's rows", self.source

    def _values(self, failure: Failure, plan: Plan, source: pa.Table) -> str:
        """Return the source's values in the row that fails, of the columns that the step reads."""
        if failure.row is None:
            return ""
        read = plan.lineage.sources_of(failure.step, failure.column)
        names = [name for name in source.column_names if name.lower() in read][:_SHOWN_COLUMNS]
        shown = {name: "***" if self.hides([name]) else str(source.column(name)[failure.row].as_py()) for name in names}
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
