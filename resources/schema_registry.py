"""The schema that each pipeline's data froze, by version.

Does not belong here: what may differ from it (`assay.tables.contract`).
"""

import dagster as dg
from dagster_aws.s3 import S3Resource

from assay.specs import PipelineSpec
from assay.tables.contract import conform_dataset
from assay.tables.dataset import Dataset
from assay.tables.schema import TableSchema
from resources.object_store.keys import encoded
from resources.object_store.opening import open_store
from resources.s3_client import client_of


class SchemaRegistry(dg.ConfigurableResource[None]):
    """The first data under a schema version freezes its columns; later data must keep them."""

    storage_uri: str
    s3: dg.ResourceDependency[S3Resource]

    def conformed(self, dataset: Dataset, spec: PipelineSpec, *, where: str) -> Dataset:
        """Freeze the dataset's schema if its version has none yet, and return the dataset under the frozen one.

        Raises:
            SchemaDriftError: the columns differ in a way that loses something.
            StorageError: the store cannot be used.
        """
        store = open_store(self.storage_uri, lambda: client_of(self.s3))
        key = f"{encoded(spec.name)}/@schemas/{spec.dataset.schema_version}.json"
        if store.put_if_absent(key, dataset.schema.model_dump_json(indent=1).encode()):
            return dataset
        frozen = TableSchema.model_validate_json(store.get_bytes(key))
        return conform_dataset(dataset, frozen, spec.dataset, where=where)
