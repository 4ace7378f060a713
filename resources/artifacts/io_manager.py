"""Dagster's IO manager over the artifact store: outputs become commits, inputs are read verified."""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, cast, get_args, get_origin

import dagster as dg
from pydantic import JsonValue, PrivateAttr

from assay.data.dataset import Dataset, ValidatedDataset
from assay.data.schema import ColumnSchema
from assay.errors import StorageError
from assay.results.trained_model import TrainedModel
from assay.specs.dataset import ColumnRole
from resources.artifacts.feature_file import file_key
from resources.artifacts.own_tables import as_asked, dataset_of, is_table, stored_kind
from resources.artifacts.step_inputs import PartitionedInput, RangeOutcome, RunValues, WindowCache
from resources.artifacts.store import ArtifactStore, Attempt
from resources.object_store import ObjectStoreResource
from resources.store.commit_record import Commit, described

_TABLE, _MODEL = "table", "trained_model"
_VALUE = "value type"
ANY_TABLE = {"any table": True}
"""Metadata of an input that takes the rows of any asset, under any IO manager."""
ANY_MADE = ANY_TABLE | {"allow_missing_partitions": True}
"""The same of those partitions alone that are made, by the name that Dagster's IO managers have for it."""
OWN_PARTITION = {"own partition": True}
"""Metadata of an input that is given the newest of the partitions it maps to; the asset reads the others itself."""
_LEARNED_FROM = ("raw_dataset", "feature_set", "validated_dataset")
"""The assets of a pipeline whose columns have a meaning to its model."""
_LOG = "prediction_log"
_ELSEWHERE = 0
"""In place of the number of a version that has no commit."""
_FAILED, _SKIPPED = "partitions that failed", "partitions passed over"


class PartitionedType(dg.DagsterType):
    """The type of an input that can be a `PartitionedInput`."""


class ArtifactIOManager(dg.ConfigurableIOManager):
    """Publishes outputs and reads inputs; the same code serves disk and S3."""

    object_store: dg.ResourceDependency[ObjectStoreResource]
    _artifacts: ArtifactStore | None = PrivateAttr(default=None)
    _values: RunValues = PrivateAttr(default_factory=RunValues)
    _read: dict[tuple[str, str], dict[str, str]] = PrivateAttr(default_factory=dict)
    _facts: dict[tuple[str, str], dict[str, JsonValue]] = PrivateAttr(default_factory=dict)

    def artifacts(self) -> ArtifactStore:
        """Return the store, for assets that publish more than their output."""
        if self._artifacts is None:
            self._artifacts = ArtifactStore(self.object_store.open(), shares_rows=self.object_store.space.shares_rows)
        return self._artifacts

    def inputs_of(self, run_id: str, step_key: str) -> dict[str, str]:
        """Return the versions that a step has read, by `asset[@partition]`."""
        return dict(self._read.get((run_id, step_key), {}))

    def add_facts(self, run_id: str, step_key: str, facts: Mapping[str, JsonValue]) -> None:
        """Keep facts for the commit that a step publishes next."""
        self._facts.setdefault((run_id, step_key), {}).update(facts)

    def facts_of(self, run_id: str, step_key: str) -> dict[str, JsonValue]:
        """Return what was kept."""
        return dict(self._facts.get((run_id, step_key), {}))

    def commit_read(self, run_id: str, step_key: str, asset: tuple[str, ...], partition: str | None) -> Commit:
        """Return the commit of an input that a step has read.

        Raises:
            StorageError: the step has not read it.
        """
        name = _name_of(asset, partition)
        read = self.inputs_of(run_id, step_key).get(name)
        if read is None:
            raise StorageError("the step has not read this input", where=f"step {step_key}", found=name)
        return self.artifacts().log.read(asset, partition, int(read.partition(":")[0]))

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Publish an asset's value and its metadata.

        The outcome of a step over many partitions is passed to the later steps; its values are published already.
        """
        if isinstance(obj, RangeOutcome):
            outcome = {_FAILED: dict(obj.failed), _SKIPPED: dict(obj.skipped)}
            context.add_output_metadata({name: dg.MetadataValue.json(keys) for name, keys in outcome.items()})
            return
        attempt = Attempt(
            run_id=context.run_id,
            attempt_id=f"{context.run_id}-{context.step_key}-{context.step_context.previous_attempt_count}",
            code_version=context.asset_spec.code_version if context.has_asset_key else None,
            inputs=self.inputs_of(context.run_id, context.step_key),  # every output of a step has them all
            properties=self.facts_of(context.run_id, context.step_key),
        )
        partition = context.asset_partition_key if context.has_asset_partitions else None
        context.add_output_metadata(self.published(context.asset_key, partition, obj, attempt))

    def published(self, key: dg.AssetKey, partition: str | None, value: Any, attempt: Attempt) -> dict[str, Any]:
        """Publish a value, or a table of a user's own asset; return metadata that says where and what it is.

        Raises:
            DataContractError: the table has columns of types that cannot be stored.
            StorageError: it could not be stored.
        """
        if is_table(value):
            value = dataset_of(value, where=_name_of(tuple(key.path), partition))
        return self._metadata(self.artifacts().publish(tuple(key.path), partition, value, attempt), value)

    def add_version(self, run_id: str, step_key: str, commit: Commit) -> None:
        """Note that a step has read a version, past its inputs."""
        read = self._read.setdefault((run_id, step_key), {})
        read[_name_of(commit.asset, commit.partition)] = f"{commit.number}:{commit.data_version}"

    def add_input(self, run_id: str, step_key: str, name: str, data_version: str) -> None:
        """Note that a step has read a value that another IO manager keeps; one of the platform is noted already."""
        read = self._read.setdefault((run_id, step_key), {})
        if not any(each.partition("@")[0] == name for each in read):
            read[name] = f"{_ELSEWHERE}:{data_version}"

    def forget_inputs(self, run_id: str, step_key: str, *, but: Mapping[str, str] = MappingProxyType({})) -> None:
        """Forget what a step has read and said, before it goes on to its next partition.

        Args:
            run_id: of the step.
            step_key: its key.
            but: what all partitions have read.
        """
        self._read[(run_id, step_key)] = dict(but)
        self._facts.pop((run_id, step_key), None)

    def load_input(self, context: dg.InputContext) -> Any:
        """Read the newest version of every upstream partition that the input maps to.

        An input annotated `dict[str, X]` gets one value for each partition key, and `{"": value}` without
        partitions; any other annotation gets the one value. Metadata `columns` of the input projects tables.
        A step that makes many partitions gets a `PartitionedInput` instead, where the input's type is such, and reads
        what each of them needs. With `ANY_MADE` partitions that were never published are left out.

        Tables can be asked for as pyarrow tables and data frames of pandas. Without a type, an asset of a pipeline is
        given as its own type, one for each partition where there are several; outside of a step, as from a notebook
        by `load_asset_value`, any asset is.

        Raises:
            ArtifactNotFoundError: partitions were never published; names them all.
            GateRejectedError: the newest of a partition is a refusal.
            DigestMismatchError: the stored value differs from the published one.
        """
        asset = tuple(context.asset_key.path)
        keys: list[str | None] = [*context.asset_partition_keys] if context.has_asset_partitions else [None]
        _require_partition(context, asset)
        keys = [max(map(str, keys))] if reads_own_partition(context.definition_metadata) else keys
        kind, many = _kind_asked_for(context, len(keys))
        if _makes_many(context):
            return self._partitioned(context, kind, many=many)
        if not many and len(keys) != 1:
            raise StorageError(
                "an input reads several partitions into one value",
                where="/".join(asset),
                found=f"{len(keys)} partitions",
                expected=f"an annotation dict[str, {getattr(kind, '__name__', kind)}]",
            )
        commits = self.artifacts().newest_of(asset, keys, made_alone=_takes_what_is_made(context))
        values = {key or "": self._load(context, commit, kind, kept=True) for key, commit in commits.items()}
        return values if many or not values else values[keys[0] or ""]

    def _partitioned(self, context: dg.InputContext, kind: type[Any], *, many: bool) -> PartitionedInput:
        asset, found = tuple(context.asset_key.path), dict[str, Commit]()

        def read(keys: Sequence[str]) -> dict[str, Any]:
            newest = {str(key): commit for key, commit in self.artifacts().newest_of(asset, keys).items()}
            found.update(newest)
            return {key: self._load(context, commit, kind) for key, commit in newest.items()}

        def note(keys: Iterable[str]) -> None:
            for key in keys:
                self._note(context, found[key])

        def published(key: str) -> bool:
            return self.artifacts().log.newest(asset, key) is not None

        return PartitionedInput(WindowCache(read), many, self._outcome_of_step_before(context), published, note)

    def _outcome_of_step_before(self, context: dg.InputContext) -> RangeOutcome:
        """Return the partitions that the previous step failed to make and that were not made since."""
        asset, outcome = tuple(context.asset_key.path), dict[str, dict[str, str]]()
        for entry in _outcome_events(context):
            metadata = entry.get_dagster_event().event_specific_data.metadata  # type: ignore[union-attr]
            for name in metadata.keys() & {_FAILED, _SKIPPED}:
                outcome[name] = outcome.get(name, {}) | cast("dict[str, str]", metadata[name].value)
            for key in list(outcome.get(_FAILED, {})):
                newest = self.artifacts().log.newest(asset, key)
                if newest and newest.status == "published" and newest.created_at.timestamp() > entry.timestamp:
                    del outcome[_FAILED][key]
        return RangeOutcome(failed=outcome.get(_FAILED, {}), skipped=outcome.get(_SKIPPED, {}))

    def _load(self, context: dg.InputContext, commit: Commit, kind: type[Any], *, kept: bool = False) -> Any:
        """Read a value; it is kept for later steps of the run where that is asked for and no columns are."""
        columns = (context.definition_metadata or {}).get("columns")
        kind = _kind_stored(commit) if kind is Any else kind

        def read() -> Any:
            return self.artifacts().read(commit, stored_kind(kind), columns)

        if not is_in_step(context):
            return as_asked(read(), kind)
        run_id = context.step_context.run_id
        value = self._values.once(run_id, commit, stored_kind(kind), read) if kept and not columns else read()
        self._note(context, commit)
        return as_asked(value, kind)

    def _note(self, context: dg.InputContext, commit: Commit) -> None:
        self.add_version(context.step_context.run_id, context.step_context.step.key, commit)

    def _metadata(self, commit: Commit, obj: Any) -> dict[str, Any]:
        space = self.object_store.space
        metadata: dict[str, Any] = {
            **({} if space.is_production else {"space": space.name}),
            "stored at": self.artifacts().uri(commit),
            "version": commit.number,
            "data version": commit.data_version,
            "bytes": sum(item.size for item in commit.objects),
        }
        if key := file_key(commit):
            metadata["feature file"] = dg.MetadataValue.path(self.artifacts().store.uri(key))
        if commit.fingerprint is not None:
            metadata["dagster/row_count"] = commit.fingerprint.rows
            columns = [
                dg.TableColumn(column.name, column.dtype, description=_role_of(column, commit.asset[-1]))
                for column in obj.schema.columns
            ]
            metadata["dagster/column_schema"] = dg.TableSchema(columns=columns)
        return metadata


def _role_of(column: ColumnSchema, asset: str) -> str | None:
    """Return what a column means to the model; None of results and labels, in which nothing is ignored, and of the log.

    The log keeps all columns that were sent as identifiers, features among them.
    """
    has_role = asset in _LEARNED_FROM or (column.role is not ColumnRole.IGNORED and asset != _LOG)
    return str(column.role) if has_role else None


def _name_of(asset: tuple[str, ...], partition: str | None) -> str:
    return "/".join(asset) + (f"@{partition}" if partition is not None else "")


def reads_own_partition(metadata: Mapping[str, Any] | None) -> bool:
    """Whether an input is given the newest alone of the partitions that it maps to."""
    return OWN_PARTITION.keys() <= (metadata or {}).keys()


def _takes_what_is_made(context: dg.InputContext) -> bool:
    return ANY_MADE.items() <= (context.definition_metadata or {}).items()


def is_in_step(context: dg.InputContext) -> bool:
    """Whether an input is read by a step, and not by `load_asset_value`."""
    try:
        return context.step_context is not None
    except dg.DagsterInvariantViolationError:
        return False


def _require_partition(context: dg.InputContext, asset: tuple[str, ...]) -> None:
    """Refuse to read an asset with partitions without one, which only `load_asset_value` can ask for."""
    if is_in_step(context) or context.has_asset_partitions:
        return
    with suppress(dg.DagsterInvariantViolationError):  # it has no partitions
        partitions = context.asset_partitions_def
        raise StorageError(
            "the asset has partitions, and none is named",
            where="/".join(asset),
            expected=f"one of {', '.join(partitions.get_partition_keys()[-3:])}"
            if isinstance(partitions, dg.TimeWindowPartitionsDefinition)
            else "a partition's key",
            remedy="give partition_key",
        )


def value_metadata(kind: type[Any]) -> dict[str, dg.PythonArtifactMetadataValue]:
    """Return the metadata by which an asset says of which type its values are."""
    return {_VALUE: dg.MetadataValue.python_artifact(kind)}


def _kind_asked_for(context: dg.InputContext, partitions: int) -> tuple[Any, bool]:
    """Return the annotated kind of value, or else the asset's own, and whether one for each partition is wanted."""
    kind = context.dagster_type.typing_type
    if kind is Any:
        own, asks = _own_kind(context), context.definition_metadata or {}
        if own is None and is_in_step(context) and not ANY_TABLE.keys() <= asks.keys():
            raise StorageError(
                "an input has no type, so that nothing is known to read it as",
                where=f"input {context.name} of the step {context.step_context.step.key}",
                expected="an annotated parameter, such as Dataset or dict[str, ValidatedDataset]",
                remedy="annotate the parameter with the type that the upstream asset returns",
            )
        return own or Any, partitions > 1
    many = get_origin(kind) is dict
    return (get_args(kind)[1] if many else kind), many


def _own_kind(context: dg.InputContext) -> type[Any] | None:
    """Return the type that an asset of a pipeline says of its values; None of other assets."""
    upstream = context.upstream_output
    said = (upstream.definition_metadata or {}).get(_VALUE) if upstream is not None else None
    if not isinstance(said, dg.PythonArtifactMetadataValue):
        return None
    kind: type[Any] = getattr(importlib.import_module(said.module), said.name)
    return kind


def _kind_stored(commit: Commit) -> type[Any]:
    """Return the type of a stored value, as far as it does not depend on who wrote it."""
    if commit.codec == _TABLE:
        return Dataset if commit.receipt is None else ValidatedDataset
    if commit.codec == _MODEL:
        return TrainedModel
    raise StorageError(
        "nothing is known of the type of this value",
        where=described(commit),
        remedy="give python_type: the type that the asset returns",
    )


def _makes_many(context: dg.InputContext) -> bool:
    if not is_in_step(context) or not isinstance(context.dagster_type, PartitionedType) or _takes_what_is_made(context):
        return False
    step = context.step_context
    return context.has_asset_partitions and step.has_partition_key_range and not step.has_partition_key


def _outcome_events(context: dg.InputContext) -> list[dg.EventLogEntry]:
    """Return the output events of the step that makes this input, in this run or the newest run that it continues."""
    run: dg.DagsterRun | None = context.step_context.dagster_run
    step, instance = context.upstream_output.step_key if context.upstream_output else "", context.step_context.instance
    while run is not None and step:
        entries = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.HANDLED_OUTPUT)
        if found := [entry for entry in entries if entry.get_dagster_event().step_key == step]:
            return found
        run = instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
    return []
