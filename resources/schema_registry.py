"""The schema that each pipeline's data froze, by version: in the artifact store, and as a file that people review.

Does not belong here: what may differ from it (`assay.data.contract`).
"""

from pathlib import Path

import dagster as dg

from assay.data.contract import conform_dataset
from assay.data.dataset import Dataset
from assay.data.frozen_schema import FrozenSchema, freeze, from_yaml, to_yaml
from assay.errors import StorageError
from assay.reading.partition_rows import ReadDataset
from assay.specs import PipelineSpec
from resources.object_store import ObjectStoreResource
from resources.store.interface import ObjectStore, encoded
from resources.store.local import LocalStore


class SchemaRegistry(dg.ConfigurableResource[None]):
    """The first data under a schema version freezes its columns; later data must keep them.

    The file beside the pipeline is the law where it exists, so that a review can change it; else the artifact store's
    copy is, which every worker of a deployment sees.
    """

    object_store: dg.ResourceDependency[ObjectStoreResource]
    schemas_dir: str = ""

    def frozen(self, spec: PipelineSpec) -> FrozenSchema | None:
        """Return the schema of the version that a run asks for; None before its first data.

        Raises:
            SpecError: the reviewed file is not acceptable.
            StorageError: the store cannot be used.
        """
        reviewed = self._reviewed_file(spec)
        if reviewed is not None and reviewed.is_file():
            return from_yaml(reviewed.read_text(encoding="utf-8"), where=str(reviewed))
        store, key = self._store(), _key(spec)
        if store.stat(key) is None:
            return None
        return from_yaml(store.get_bytes(key).decode(), where=store.uri(key))

    def conformed(self, read: ReadDataset, spec: PipelineSpec, *, where: str) -> Dataset:
        """Freeze the dataset's schema if its version has none yet, and return the dataset under the frozen one.

        Raises:
            SchemaDriftError: the columns differ in a way that loses something.
            StorageError: the store cannot be used.
        """
        frozen = self.frozen(spec) or self._freeze(read, spec)
        return conform_dataset(read.dataset, frozen.table_schema, spec.dataset, where=where)

    def _freeze(self, read: ReadDataset, spec: PipelineSpec) -> FrozenSchema:
        text = to_yaml(freeze(read.dataset.schema, read.dialect), spec.name)
        store, key = self._store(), _key(spec)
        if not store.put_if_absent(key, text.encode()):  # another run's data came first
            text = store.get_bytes(key).decode()
        self._offer_for_review(text, spec)
        return from_yaml(text, where=store.uri(key))

    def _offer_for_review(self, text: str, spec: PipelineSpec) -> None:
        path = self._reviewed_file(spec)
        if path is None:
            return
        log = dg.get_dagster_logger()
        try:
            LocalStore(path.parent).put_if_absent(path.name, text.encode())
        except StorageError as error:  # an image's file system may be read-only: the store has the schema all the same
            log.warning("the frozen schema was not written to %s: %s", path, error.what)
        else:
            log.info("schema version %d was frozen: review %s", spec.dataset.schema_version, path)

    def _reviewed_file(self, spec: PipelineSpec) -> Path | None:
        name = f"{spec.name}.v{spec.dataset.schema_version}.yaml"
        return Path(self.schemas_dir) / name if self.schemas_dir else None

    def _store(self) -> ObjectStore:
        return self.object_store.open()


def _key(spec: PipelineSpec) -> str:
    return f"{encoded(spec.name)}/@schemas/{spec.dataset.schema_version}.yaml"
