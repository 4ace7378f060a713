"""The feature set of one partition: the rows after all steps, under a frozen schema of their own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeAlias

from assay.counting import counted
from assay.data.dataset import Dataset
from assay.data.frozen_schema import FrozenColumn, FrozenSchema
from assay.data.schema import dtype_name
from assay.data.source_rows import SchemaVersion, SourceRows
from assay.errors import EmptyDataError, MissingColumnError, SchemaDriftError, did_you_mean
from assay.features.dropped_rows import StepCount, dropped_in_words
from assay.features.history import EarlierPartitions, history_of, notes_of
from assay.features.joined_tables import written_once
from assay.features.lineage import Lineage
from assay.features.past import require_known_in_time
from assay.features.prepared import PreparedSteps
from assay.features.running import FeatureRows, features_of, run_steps
from assay.specs.dataset import ColumnRole, ColumnSpec
from assay.specs.pipeline import PipelineSpec

Adapted: TypeAlias = Callable[[SourceRows, str], SourceRows]


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """The feature set of one partition.

    Attributes:
        rows: the rows under the frozen schema.
        counts: what each condition of a filter dropped, in order.
        rows_in: rows of the source.
        of_earlier_rows: what is said of earlier partitions, and of windows that do not see all rows.
        known_in_time: what was checked to show that no row saw later ones; empty for rows that are only predicted.
    """

    rows: Dataset
    counts: tuple[StepCount, ...]
    rows_in: int
    known_in_time: str
    of_earlier_rows: Mapping[str, str] = field(default_factory=dict)


def feature_set_of(  # noqa: PLR0913 - what the rows depend on, and where they run
    source: Dataset,
    spec: PipelineSpec,
    version: SchemaVersion | None,
    *,
    where: str,
    labelled: bool = True,
    adapted: Adapted | None = None,
    joined: Mapping[str, Dataset] = MappingProxyType({}),
    prepared: PreparedSteps | None = None,
    earlier: EarlierPartitions | None = None,
) -> FeatureSet:
    """Make the feature set of a partition.

    Args:
        source: the partition's rows as the source has them.
        spec: the pipeline, which has `features`.
        version: the frozen schema of the feature set; the first one freezes it. None where no schema is kept.
        where: asset and partition, for errors.
        labelled: whether the rows have a target; those that are only predicted freeze no schema.
        joined: the rows of each joined source, by its name.
        prepared: see `run_steps`.
        earlier: where the rows of earlier partitions come from, into which windows reach; without them a window sees
            the rows of the partition alone.
        adapted: changes the rows after the steps, before their schema is frozen; `where` is its second argument.

    Raises:
        SpecError: a step cannot be computed whatever the rows.
        FeatureStepError: a step cannot be computed for a row, or drops more rows than it may.
        LaterRowsError: a step sees rows that were not known yet, or unrelated ones.
        EmptyDataError: the steps drop every row.
        SchemaDriftError: the feature set differs from its frozen schema.
        DataContractError: the feature set lacks what the pipeline names, or has other types.
    """
    tables = {name: each.table for name, each in joined.items()}
    schemas = {name: table.schema for name, table in tables.items()}
    history = history_of(source, spec, earlier, labelled=labelled, where=where, tables=schemas)
    with written_once(tables if prepared is None else prepared.tables, features_of(spec), where) as written:
        made = run_steps(
            source.table, source.schema, spec, where=where, labelled=labelled, joined=written, prepared=prepared,
            history=history,
        )  # fmt: skip
        known = (
            require_known_in_time(source, made, spec, where=where, joined=written, history=history) if labelled else ""
        )
    if made.table.num_rows == 0:
        raise EmptyDataError(
            "the steps drop every row",
            where=where,
            found="; ".join(f"{each.dropped:,} by {each.step}: {each.reason}" for each in made.counts),
            remedy="correct the conditions, or check the source",
        )
    if labelled:
        _require_declared(spec.dataset.columns, (*source.schema.names, *made.table.column_names), where)
    declared = {name: each for name, each in spec.dataset.columns.items() if name in made.table.column_names}
    dataset = spec.feature_dataset.model_copy(update={"columns": declared})
    kept = _FeatureVersion(version or _Unkept(), spec, made.lineage)
    found = SourceRows(made.table, dataset, kept.frozen(), kept, None, labelled)
    try:
        rows = (found if adapted is None else adapted(found, where)).partition(None, where=where)
    except SchemaDriftError as error:
        error.where += _step_of_change(made, kept.frozen(), spec)
        raise
    notes = {key: text for key, text in rows.notes.items() if key != "rows"}
    notes |= {"rows": _rows_in_words(made.table.num_rows, source.table.num_rows)}
    notes |= {f"dropped by {title}": text for title, text in dropped_in_words(made.counts).items()}
    of_earlier_rows = notes_of(history, source.table, spec)
    notes |= of_earlier_rows
    notes |= {
        f"joined {name}": f"{counted(each.table.num_rows, 'row')}, fingerprint {each.fingerprint.digest}"
        for name, each in joined.items()
    }
    notes |= {"not made without a target": ", ".join(made.skipped)} if made.skipped else {}
    return FeatureSet(replace(rows, notes=notes), made.counts, source.table.num_rows, known, of_earlier_rows)


def _rows_in_words(made: int, source: int) -> str:
    return f"{counted(made, 'row')}, made from {counted(source, 'row')} of the source"


def _step_of_change(made: FeatureRows, frozen: FrozenSchema | None, spec: PipelineSpec) -> str:
    """Return the step that makes the first column of another type than the frozen one; empty for a source's column.

    What a function of Python makes is known of the last one alone.
    """
    features = features_of(spec)
    dtypes = frozen.dtypes if frozen is not None else {}
    table = made.table.schema
    changed = [each for each in table if dtypes.get(each.name, dtype_name(each.type)) != dtype_name(each.type)]
    if not changed:
        return ""
    number = made.lineage.version_of(changed[0].name)[0]
    functions = [n for n, step in enumerate(features.steps) if step.python is not None]
    number = max([number, *(functions if number < 0 else [])])
    return f", features: {features.title(number)}" if number >= 0 else ""


def _require_declared(declared: Mapping[str, ColumnSpec], names: Sequence[str], where: str) -> None:
    """Refuse a declared column that neither the source nor the feature set has."""
    for name in declared:
        if name not in names:
            raise MissingColumnError(
                f"there is no column '{name}'{did_you_mean(name, names)}",
                where=f"{where}, dataset.columns",
                found=f"columns {', '.join(dict.fromkeys(names))}",
                remedy="correct the name, or the data",
            )


class _Unkept:
    """A schema version that keeps nothing."""

    def frozen(self) -> FrozenSchema | None:
        """Return None."""
        return None

    def freeze(self, first: FrozenSchema) -> FrozenSchema:
        """Return the first schema."""
        return first


@dataclass(frozen=True, slots=True)
class _FeatureVersion:
    """The schema version of a feature set: its first schema also says what reveals the target, and the steps."""

    version: SchemaVersion
    spec: PipelineSpec
    lineage: Lineage

    def frozen(self) -> FrozenSchema | None:
        """Return the frozen schema; None before the first data."""
        return self.version.frozen()

    def freeze(self, first: FrozenSchema) -> FrozenSchema:
        """Freeze a first schema, with its row identity and with the role `ignored` for what serves the target."""
        columns = tuple(map(self._frozen_column, first.columns))
        steps = self.spec.features.digest if self.spec.features is not None else None
        identity = self._row_identity(first)
        return self.version.freeze(
            first.model_copy(update={"columns": columns, "row_identity": identity, "steps": steps})
        )

    def _frozen_column(self, column: FrozenColumn) -> FrozenColumn:
        if column.name == self.spec.dataset.target or not self._serves_target(column.name):
            return column
        return column.model_copy(update={"role": ColumnRole.IGNORED})

    def _row_identity(self, first: FrozenSchema) -> tuple[str, ...]:
        """Return the source's columns, but for those from which the target is computed.

        A column whose role is declared is known before the target, and stays.
        """
        others = tuple(name for name in first.dtypes if name != self.spec.dataset.target)
        known = [name for name in others if not self._serves_target(name) or self._is_declared(name)]
        content = tuple(name for name in known if self.lineage.source_of(name) is not None)
        return content or tuple(known) or others

    def _serves_target(self, name: str) -> bool:
        return self.lineage.serves_the_target(name)

    def _is_declared(self, name: str) -> bool:
        declared = self.spec.dataset.columns.get(name)
        return declared is not None and declared.role not in {None, ColumnRole.IGNORED}
