"""`assay validate`: data through the gate, and the report; the first step of tune and train as well."""

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from assay.data.contract import MODEL, conform
from assay.data.dataset import Dataset, ValidatedDataset
from assay.data.frozen_schema import FrozenColumn, FrozenSchema
from assay.data.source_rows import SourceRows, partition_span
from assay.errors import EmptyDataError, SourceNotFoundError, SpecError
from assay.features.feature_set import feature_set_of
from assay.features.history import EarlierPartitions
from assay.features.reach import reach_of
from assay.gate.gate import GateVerdict, run_gate
from assay.gate.profile_page.page import to_html
from assay.gate.raw_rules import run_raw_gate
from assay.reading.source_files import is_same_for_all_partitions, read_rows
from assay.results.intake import EXAMPLE_CHOICE, SourceSchemas
from assay.results.trained_model import ModelManifest
from assay.scratch import scratch_folder
from assay.shell.flags import Flags
from assay.shell.pipeline_flags import has_task, inferred_task, pipeline_of
from assay.shell.storage import Storage, put_text
from assay.shell.summary import Fact, Summary, failure_facts, gate_facts
from assay.shell.terminal import show
from assay.specs.dataset import ColumnRole
from assay.specs.other_sources import OtherSource
from assay.specs.pipeline import PipelineSpec, Task
from assay.specs.references import address_of

_LOG = logging.getLogger("assay.shell")


@dataclass(frozen=True, slots=True)
class GatedData:
    """Data and the verdicts of the gate.

    Attributes:
        spec: the pipeline with its task.
        verdicts: by partition key; the empty key without partitions. Only the last one can be a refusal.
        schemas: of a pipeline with steps, by which its model takes rows.
    """

    spec: PipelineSpec
    verdicts: Mapping[str, GateVerdict]
    schemas: SourceSchemas | None = None

    @property
    def last(self) -> GateVerdict:
        """The verdict on the last partition."""
        return list(self.verdicts.values())[-1]

    @property
    def window(self) -> Mapping[str, ValidatedDataset] | None:
        """The accepted rows by partition; None when some were refused."""
        accepted = {key: verdict.accepted for key, verdict in self.verdicts.items()}
        window = {key: rows for key, rows in accepted.items() if rows is not None}
        return window if len(window) == len(accepted) else None


def gated(flags: Flags, storage: Storage, base: ModelManifest | None = None) -> GatedData:
    """Read the data, run the gate and write the report; stop at the first refused partition.

    The columns of a model that is continued, `base`, keep its dtypes and roles.

    Raises:
        AssayError: a flag is not acceptable, the data cannot be read, or the report cannot be written.
    """
    spec = pipeline_of(flags)
    known = has_task(flags)
    versions = _Versions(_OfOneCommand(base), _OfOneCommand())
    verdicts: dict[str, GateVerdict] = {}
    for key in _partitions(flags, spec):
        where = f"{spec.dataset.source}{f', partition {key}' if key else ''}"
        source = _read(spec, versions, key, storage, where)
        raw = run_raw_gate(source, spec, where=f"{where}, source rows", partition=key or "", as_of=_as_of(spec, key))
        if raw is not None:
            _log(raw)
            if raw.accepted is None:  # the report is that of the rows that are learned from, where there are some
                _write(raw, spec, flags, storage)
                verdicts[key or ""] = raw
                break
        dataset = _with_steps(source, spec, versions, key, storage, where)
        if not known:
            task, reason = _task_of(dataset, spec, flags)
            _LOG.info("the task is taken to be %s, as %s; set --task to change it", task, reason)
            spec, known = pipeline_of(flags, task), True
        versions.judged.classifies = spec.task.is_classification
        verdict = verdicts[key or ""] = run_gate(
            dataset,
            spec,
            where=where,
            partition=key or "",
            as_of=_as_of(spec, key),
            reference=_reference(spec, verdicts),
        )
        if not _is_accepted(verdict, spec, flags, storage):
            break
    return GatedData(spec, verdicts, versions.schemas)


def _task_of(dataset: Dataset, spec: PipelineSpec, flags: Flags) -> tuple[Task, str]:
    target = spec.dataset.target
    return inferred_task(dataset.table.column(target), target, flags.model_name)


@dataclass(slots=True)
class _OfOneCommand:
    """The schema of the first partition, which the later ones of one command keep; the shell stores none."""

    base: ModelManifest | None = None
    current: FrozenSchema | None = None
    classifies: bool = False

    def frozen(self) -> FrozenSchema | None:
        """Return the first partition's schema; before it is read the base model's columns, or None."""
        if self.current is None:
            return None if self.base is None else _schema_of(self.base)
        return self.current if self.classifies else self.current.without_classes()

    def freeze(self, first: FrozenSchema) -> FrozenSchema:
        """Keep the first partition's schema, with the base model's roles."""
        roles = {}
        if self.base is not None:
            roles = dict.fromkeys(self.base.unused_columns, ColumnRole.IGNORED)
            roles |= {column.name: column.role for column in self.base.features.columns}
        columns = [column.model_copy(update={"role": roles.get(column.name, column.role)}) for column in first.columns]
        self.current = first.model_copy(update={"columns": tuple(columns)})
        return self.current

    def rows(self, rows: SourceRows, where: str) -> SourceRows:
        """Return the first rows in the base model's dtypes, and others as they are.

        Raises:
            SchemaDriftError: a column of the model is missing, or no lossless conversion gives its dtype.
        """
        if self.base is None or self.current is not None:
            return rows
        features = self.base.features
        names = tuple(name for name in features.names if name not in rows.spec.derive)
        found = rows.table.select([name for name in names if name in rows.table.column_names])
        conformed, table = conform(found, features.project(names), where=where, origin=MODEL), rows.table
        for name in names:
            table = table.set_column(table.column_names.index(name), name, conformed.column(name))
        # the rows of the first partition make the schema, since the model knows its features alone
        return replace(rows, table=table, frozen=None)


def _schema_of(base: ModelManifest) -> FrozenSchema:
    columns = [FrozenColumn(name=each.name, dtype=each.dtype, role=each.role) for each in base.features.columns]
    return FrozenSchema(version=base.features.version, columns=tuple(columns))


def _partitions(flags: Flags, spec: PipelineSpec) -> list[str | None]:
    if flags.partition and not spec.dataset.partitions.is_time:
        raise SpecError(
            "the data has no time partitions to choose from",
            where="--partition",
            found=", ".join(flags.partition),
            remedy="leave the flag out, or set dataset.partitions in the pipeline file",
        )
    if spec.split.by == "time" and not flags.partition:
        raise SpecError(
            "a pipeline that splits by time works on named partitions",
            where="--partition",
            expected="one --partition for each, e.g. --partition 2013-01 --partition 2013-02",
        )
    return list(flags.partition) if flags.partition else [None]


@dataclass(frozen=True, slots=True)
class _Versions:
    """The schemas of one command: of the rows that the gate judges, and of a source from which steps make them."""

    judged: _OfOneCommand
    source: _OfOneCommand
    joined: dict[str, _OfOneCommand] = field(default_factory=dict)
    example: list[pa.Table] = field(default_factory=list)
    """Some rows of the source of each partition."""
    tables: dict[str, pa.Table] = field(default_factory=dict)
    """Rows of joined sources that do not change with time."""
    lasting: list[SourceRows] = field(default_factory=list)
    """The rows of a source that is the same for all partitions."""

    @property
    def schemas(self) -> SourceSchemas | None:
        """Both schemas; None where no steps lie between them."""
        source, made = self.source.current, self.judged.current
        if source is None or made is None or not self.example:
            return None
        joined = {name: version.current for name, version in self.joined.items() if version.current is not None}
        return SourceSchemas(source, made, self.example[-1], joined, self.tables)


def _read(spec: PipelineSpec, versions: _Versions, key: str | None, storage: Storage, where: str) -> Dataset:
    dataset, version = spec.source_dataset, versions.judged if spec.features is None else versions.source
    if versions.lasting:
        found = versions.lasting[0].partition(key, where=where)
    else:
        with scratch_folder("source") as folder:
            files = storage.fetch(address_of(dataset.source, key), Path(folder))
            rows = version.rows(read_rows(files, dataset, version, where=where), where)
            found = rows.partition(key, where=where)
        if is_same_for_all_partitions(dataset) and reach_of(spec.features, dataset.partitions).microseconds:
            versions.lasting.append(rows)
    _LOG.info("read %s rows and %d columns of %s", f"{found.table.num_rows:,}", found.table.num_columns, where)
    if unseen := found.notes.get("null values without a match"):
        _LOG.warning("no field of the source has these null values: %s", unseen)
    return found


def _earlier(
    spec: PipelineSpec, versions: "_Versions", key: str | None, storage: Storage, where: str
) -> EarlierPartitions | None:
    """Return what reads the source's rows of earlier partitions; one whose rows are refused is missing as well."""

    def read(earlier: str, is_wanted: Callable[[str], bool]) -> pa.Table | None:
        where_earlier = f"{where}, earlier partition {earlier}"
        try:
            rows = _read(spec, versions, earlier, storage, where_earlier)
        except (EmptyDataError, SourceNotFoundError):
            return None
        as_of = _as_of(spec, earlier)
        raw = run_raw_gate(rows, spec, where=f"{where_earlier}, source rows", partition=earlier, as_of=as_of)
        is_refused = raw is not None and raw.accepted is None
        return None if is_refused else rows.table.select([each for each in rows.table.column_names if is_wanted(each)])

    return None if key is None else EarlierPartitions(key, read)


def _with_steps(
    found: Dataset, spec: PipelineSpec, versions: _Versions, key: str | None, storage: Storage, where: str
) -> Dataset:
    """Return the rows after the steps of `features`, where there are some."""
    if spec.features is None:
        return found
    versions.example.append(found.table.slice(0, EXAMPLE_CHOICE))
    joined = {join.table: _joined(join, versions, key, storage, where) for join in spec.features.other_sources}
    lasting = [each.table for each in spec.features.other_sources if not each.changes_with_time]
    versions.tables.update({name: joined[name].table for name in lasting})
    made = feature_set_of(
        found, spec, versions.judged, where=where, adapted=versions.judged.rows, joined=joined,
        earlier=_earlier(spec, versions, key, storage, where),
    )  # fmt: skip
    for name, text in made.of_earlier_rows.items():
        _LOG.info("%s: %s", name, text)
    for each in made.counts:
        _LOG.info("%s: %s of %s rows dropped, %s", each.step, f"{each.dropped:,}", f"{each.rows_in:,}", each.reason)
    return made.rows


def _joined(join: OtherSource, versions: _Versions, key: str | None, storage: Storage, where: str) -> Dataset:
    """Return the rows of a joined source; those of several partitions keep the schema of the first."""
    version = versions.joined.setdefault(join.table, _OfOneCommand())
    with scratch_folder("joined") as folder:
        files = storage.fetch(address_of(join.source, key), Path(folder))
        where = f"{where}, join {join.table}"
        return read_rows(files, join.dataset, version, where=where).partition(None, where=where)


def _as_of(spec: PipelineSpec, key: str | None) -> dt.datetime | None:
    """Return the end of a partition, the time at which the gate judges it; None for now."""
    return None if key is None else partition_span(spec.dataset.partitions, key)[1].replace(tzinfo=dt.UTC)


def _reference(spec: PipelineSpec, verdicts: Mapping[str, GateVerdict]) -> ValidatedDataset | None:
    """Return the rows that `validation.distributions` compares with, among the partitions of this command."""
    rule = spec.validation.distributions
    if rule is None:
        return None
    key = list(verdicts)[-1] if rule.reference == "previous" and verdicts else rule.reference
    if key not in verdicts:
        _LOG.warning("validation.distributions has no reference here (%s), so nothing is compared", rule.reference)
        return None
    return verdicts[key].accepted


def _write(verdict: GateVerdict, spec: PipelineSpec, flags: Flags, storage: Storage) -> None:
    """Write the report, and the page where it is asked for; each partition overwrites the one before."""
    page_uri = flags.html_uri
    if page_uri is not None:
        page = to_html(verdict.report, verdict.checked, verdict.schema, show_values=spec.validation.show_values)
        put_text(storage, page, page_uri)
    if flags.report_uri is not None:
        put_text(storage, verdict.report.model_dump_json(indent=2) + "\n", flags.report_uri)


def _is_accepted(verdict: GateVerdict, spec: PipelineSpec, flags: Flags, storage: Storage) -> bool:
    """Say what the gate decided, and write the report."""
    _log(verdict)
    _write(verdict, spec, flags, storage)
    return verdict.accepted is not None


def _log(verdict: GateVerdict) -> None:
    report = verdict.report
    for rule in report.rules:
        if not rule.passed:
            level = logging.ERROR if rule.severity == "ERROR" else logging.WARNING
            for failure in rule.failures:
                column = failure.column or "(table)"
                rows = f" in {failure.count:,} of {report.rows_judged:,} rows" if failure.row_numbers else ""
                _LOG.log(level, "%s: %s: %s%s; expected %s", rule.name, column, failure.found, rows, failure.expected)
    if report.passed:
        _LOG.info("the gate passed %s of %s rows", f"{report.rows_judged:,}", f"{report.rows_read:,}")
    else:
        _LOG.error("the gate refused the data: %s", ", ".join(report.failed_rules))


def run(flags: Flags, storage: Storage) -> tuple[bool, str]:
    """Run the gate and write the report, whether the data passed or not."""
    if len(flags.partition) > 1:
        raise SpecError("validate takes one partition at a time", where="--partition", found=", ".join(flags.partition))
    data = gated(flags, storage)
    show_gate(data, flags)
    return data.last.report.passed, flags.report_uri


def gate_facts_of(data: GatedData) -> tuple[Fact, ...]:
    """Return the gate's verdict on each partition, by its name where there are partitions."""
    facts = []
    for key, verdict in data.verdicts.items():
        own = gate_facts(verdict.receipt)
        facts += [replace(each, name=f"{each.name}, {key}") if key else each for each in own]
    return tuple(facts)


def show_gate(data: GatedData, flags: Flags) -> None:
    """Print what the gate decided, what each failed rule found, and where report and page are."""
    found = tuple(failure_facts(data.last.report))
    written = (("report", flags.report_uri), ("page", flags.html_uri))
    addresses = tuple(Fact(name, uri) for name, uri in written if uri)
    show([Summary(f"{data.spec.name}, judged", (*gate_facts_of(data), *found), addresses=addresses)])
