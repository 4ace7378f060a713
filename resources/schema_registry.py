"""The frozen schema of each pipeline and version: in the artifact store, and as a file that people review."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from assay.data.frozen_schema import (
    FrozenSchema,
    feature_schema_name,
    from_yaml,
    joined_schema_name,
    reviewed_file,
    reviewed_schema,
    to_yaml,
)
from assay.data.row_identity import content_columns
from assay.errors import StorageError
from assay.specs import PipelineSpec
from resources.object_store import ObjectStoreResource
from resources.store.interface import ObjectStore, encoded
from resources.store.local import LocalStore

_EARLIER_VERSIONS = 20


class SchemaRegistry(dg.ConfigurableResource[None]):
    """The first data under a schema version freezes its columns; later data must keep them.

    A reviewed file beside the pipeline takes precedence. Without one, the artifact store's copy counts, which every
    worker of a deployment reads. What an experiment freezes stays in its space.
    """

    object_store: dg.ResourceDependency[ObjectStoreResource]
    schemas_dir: str = ""

    def version_of(self, spec: PipelineSpec) -> "RegisteredVersion":
        """Return the schema version that a run of a pipeline asks for."""
        return RegisteredVersion(self, spec)

    def joined_version_of(self, spec: PipelineSpec, table: str) -> "RegisteredVersion":
        """Return the same version of a source that the pipeline's features join."""
        return RegisteredVersion(self, spec, joined_schema_name(spec.name, table))

    def feature_version_of(self, spec: PipelineSpec) -> "FeatureVersion":
        """Return the same version of the pipeline's feature set."""
        return FeatureVersion(self, spec)

    def frozen(self, spec: PipelineSpec, name: str = "") -> FrozenSchema | None:
        """Return the schema of the version that a run asks for; None before its first data.

        Args:
            spec: the pipeline.
            name: under which the schema is kept; the pipeline's unless given.

        Raises:
            SpecError: the reviewed file is not acceptable.
            StorageError: the store cannot be used.
        """
        return next(self.kept(spec, name or spec.name), None)

    def kept(self, spec: PipelineSpec, name: str) -> Iterator[FrozenSchema]:
        """Yield what is kept of a version: the reviewed file, then the store's copy.

        Raises:
            SpecError: the reviewed file is not acceptable.
            StorageError: the store cannot be used.
        """
        if self.schemas_dir:
            schema = reviewed_schema(Path(self.schemas_dir), name, spec.dataset.schema_version)
            if schema is not None:
                yield schema
        store, key = self._store(), _key(spec, name)
        if store.stat(key) is not None:
            yield from_yaml(store.get_bytes(key).decode(), where=store.uri(key))

    def freeze(self, first: FrozenSchema, spec: PipelineSpec, name: str = "") -> FrozenSchema:
        """Freeze the schema of a version's first data, unless another run was first; return the frozen one.

        Raises:
            SpecError: the frozen schema is not acceptable.
            StorageError: the store cannot be used.
        """
        name = name or spec.name
        frozen = self.frozen(spec, name)
        if frozen is not None:
            return frozen
        first = first.continuing(self._row_identity_before(spec, name))
        text, store, key = to_yaml(first, name), self._store(), _key(spec, name)
        if not store.put_if_absent(key, text.encode()):  # another run froze it first
            text = store.get_bytes(key).decode()
        self._offer_for_review(text, spec, name)
        return from_yaml(text, where=store.uri(key))

    def replace(self, schema: FrozenSchema, spec: PipelineSpec, name: str) -> FrozenSchema:
        """Keep a schema in place of a version's present one, whose reason is gone.

        Raises:
            StorageError: the store cannot be used.
        """
        data = to_yaml(schema, name).encode()
        _put(self._store(), _key(spec, name), data)
        self._offer_for_review(data.decode(), spec, name, replaced=True)
        return schema

    def _row_identity_before(self, spec: PipelineSpec, name: str) -> tuple[str, ...]:
        """Return the columns that identify a row in the newest of some versions before; empty without one."""
        own = spec.dataset.schema_version
        for version in range(own - 1, max(own - 1 - _EARLIER_VERSIONS, 0), -1):
            frozen = self.frozen(of_schema_version(spec, version), name)
            if frozen is not None and spec.features is None:
                return frozen.row_identity or content_columns(tuple(frozen.dtypes), spec.dataset)
            if frozen is not None:
                return frozen.row_identity or ()
        return ()

    def _offer_for_review(self, text: str, spec: PipelineSpec, name: str, *, replaced: bool = False) -> None:
        if not self.schemas_dir or spec.space.experiment:
            return
        path = reviewed_file(Path(self.schemas_dir), name, spec.dataset.schema_version)
        log = dg.get_dagster_logger()
        try:
            folder = LocalStore(path.parent)
            if replaced:
                _put(folder, path.name, text.encode())
            else:
                folder.put_if_absent(path.name, text.encode())
        except StorageError as error:  # an image's file system may be read-only: the store has the schema all the same
            log.warning("the frozen schema was not written to %s: %s", path, error.what)
        else:
            log.info("schema version %d was frozen: review %s", spec.dataset.schema_version, path)

    def _store(self) -> ObjectStore:
        return self.object_store.open()


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """The registry's schema for one pipeline and version, as `assay.data.source_rows.SchemaVersion`.

    Attributes:
        registry: that keeps it.
        spec: the pipeline.
        name: under which it is kept; the pipeline's unless given.
    """

    registry: SchemaRegistry
    spec: PipelineSpec
    name: str = ""

    def frozen(self) -> FrozenSchema | None:
        """Return the frozen schema; None before the version's first data."""
        frozen = self.registry.frozen(self.spec, self.name)
        return frozen if frozen is None else _of_task(frozen, self.spec)

    def freeze(self, first: FrozenSchema) -> FrozenSchema:
        """Freeze the first data's schema, and return the frozen one."""
        return _of_task(self.registry.freeze(_of_task(first, self.spec), self.spec, self.name), self.spec)


@dataclass(frozen=True, slots=True)
class FeatureVersion:
    """The registry's schema of a pipeline's feature set.

    Other steps in the pipeline file, which was reviewed, freeze it anew from the next rows, with the same row identity
    and, where the labels are the same, the same classes.
    """

    registry: SchemaRegistry
    spec: PipelineSpec

    def frozen(self) -> FrozenSchema | None:
        """Return the schema that the present steps gave first; None before."""
        kept = self.registry.kept(self.spec, feature_schema_name(self.spec.name))
        return next((schema for schema in kept if schema.steps == self._steps), None)

    def freeze(self, first: FrozenSchema) -> FrozenSchema:
        """Freeze the schema of the first rows of the present steps, and return the frozen one."""
        first = _of_task(first, self.spec)
        name = feature_schema_name(self.spec.name)
        kept = self.registry.frozen(self.spec, name)
        if kept is None or kept.steps == self._steps:
            return self.registry.freeze(first, self.spec, name)
        same_labels = kept.classes is not None and set(first.classes or ()) <= set(kept.classes)
        classes = kept.classes if same_labels else first.classes
        anew = first.continuing(kept.row_identity or ()).model_copy(update={"classes": classes})
        return self.registry.replace(anew, self.spec, name)

    @property
    def _steps(self) -> str | None:
        return self.spec.features.digest if self.spec.features is not None else None


def of_schema_version(spec: PipelineSpec, version: int) -> PipelineSpec:
    """Return a pipeline under another schema version."""
    dataset = spec.dataset.model_copy(update={"schema_version": version})
    return spec.model_copy(update={"dataset": dataset})


def _of_task(schema: FrozenSchema, spec: PipelineSpec) -> FrozenSchema:
    return schema if spec.task.is_classification else schema.without_classes()


def _put(store: ObjectStore, key: str, data: bytes) -> None:
    """Store bytes under a key, whatever is there; of several racing callers the last one's stay."""
    while not store.put_if_absent(key, data):
        former = store.get_bytes(key)
        if former == data or store.replace(key, data, former):
            return


def _key(spec: PipelineSpec, name: str) -> str:
    part = name.removeprefix(spec.name).removeprefix(".")
    return f"{encoded(spec.name)}/@schemas/{f'{part}.' if part else ''}{spec.dataset.schema_version}.yaml"
