"""The frozen schema of each pipeline and version: in the artifact store, and as a file that people review."""

from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from assay.data.frozen_schema import FrozenSchema, from_yaml, reviewed_file, reviewed_schema, to_yaml
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

    def frozen(self, spec: PipelineSpec) -> FrozenSchema | None:
        """Return the schema of the version that a run asks for; None before its first data.

        Raises:
            SpecError: the reviewed file is not acceptable.
            StorageError: the store cannot be used.
        """
        reviewed = self._reviewed_file(spec)
        if reviewed is not None:
            schema = reviewed_schema(reviewed.parent, spec.name, spec.dataset.schema_version)
            if schema is not None:
                return schema
        store, key = self._store(), _key(spec)
        if store.stat(key) is None:
            return None
        return from_yaml(store.get_bytes(key).decode(), where=store.uri(key))

    def freeze(self, first: FrozenSchema, spec: PipelineSpec) -> FrozenSchema:
        """Freeze the schema of a version's first data, unless another run was first; return the frozen one.

        Raises:
            SpecError: the frozen schema is not acceptable.
            StorageError: the store cannot be used.
        """
        frozen = self.frozen(spec)
        if frozen is not None:
            return frozen
        first = first.continuing(self._row_identity_before(spec))
        text, store, key = to_yaml(first, spec.name), self._store(), _key(spec)
        if not store.put_if_absent(key, text.encode()):  # another run froze it first
            text = store.get_bytes(key).decode()
        self._offer_for_review(text, spec)
        return from_yaml(text, where=store.uri(key))

    def _row_identity_before(self, spec: PipelineSpec) -> tuple[str, ...]:
        """Return the columns that identify a row in the newest of some versions before; empty without one."""
        own = spec.dataset.schema_version
        for version in range(own - 1, max(own - 1 - _EARLIER_VERSIONS, 0), -1):
            frozen = self.frozen(of_schema_version(spec, version))
            if frozen is not None:
                return frozen.row_identity or content_columns(tuple(frozen.dtypes), spec.dataset)
        return ()

    def _offer_for_review(self, text: str, spec: PipelineSpec) -> None:
        path = self._reviewed_file(spec)
        if path is None or spec.space.experiment:
            return
        log = dg.get_dagster_logger()
        try:
            LocalStore(path.parent).put_if_absent(path.name, text.encode())
        except StorageError as error:  # an image's file system may be read-only: the store has the schema all the same
            log.warning("the frozen schema was not written to %s: %s", path, error.what)
        else:
            log.info("schema version %d was frozen: review %s", spec.dataset.schema_version, path)

    def _reviewed_file(self, spec: PipelineSpec) -> Path | None:
        folder = Path(self.schemas_dir)
        return reviewed_file(folder, spec.name, spec.dataset.schema_version) if self.schemas_dir else None

    def _store(self) -> ObjectStore:
        return self.object_store.open()


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """The registry's schema for one pipeline and version, as `assay.data.source_rows.SchemaVersion`."""

    registry: SchemaRegistry
    spec: PipelineSpec

    def frozen(self) -> FrozenSchema | None:
        """Return the frozen schema; None before the version's first data."""
        frozen = self.registry.frozen(self.spec)
        return frozen if frozen is None else self._of_task(frozen)

    def freeze(self, first: FrozenSchema) -> FrozenSchema:
        """Freeze the first data's schema, and return the frozen one."""
        return self._of_task(self.registry.freeze(self._of_task(first), self.spec))

    def _of_task(self, schema: FrozenSchema) -> FrozenSchema:
        return schema if self.spec.task.is_classification else schema.without_classes()


def of_schema_version(spec: PipelineSpec, version: int) -> PipelineSpec:
    """Return a pipeline under another schema version."""
    dataset = spec.dataset.model_copy(update={"schema_version": version})
    return spec.model_copy(update={"dataset": dataset})


def _key(spec: PipelineSpec) -> str:
    return f"{encoded(spec.name)}/@schemas/{spec.dataset.schema_version}.yaml"
