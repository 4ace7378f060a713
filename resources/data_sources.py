"""Sources as a Dagster resource: a pipeline's objects, listed or brought to local files.

Does not belong here: schemes (`resources.sources`), what the bytes mean (`assay.reading`).
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from assay.arrivals.names import listing_pattern, partition_key_of
from assay.errors import SourceNotFoundError
from assay.specs.dataset import DatasetSpec
from resources.object_store import BoundedS3Resource
from resources.settings import source_environment, sql_connections
from resources.sources.address import without_secrets
from resources.sources.interface import FetchedFile, Source, SourceObject
from resources.sources.opening import Access, expand_source, open_source, variables_of
from resources.sources.query import query_of
from resources.sources.web_policy import WebPolicy


class DataSources(dg.ConfigurableResource[None]):
    """Reads the sources of pipelines.

    Attributes:
        s3: makes the client for `s3://`.
        https_allowed_hosts: patterns of hosts that may be asked; any public host unless given.
        https_allow_private: whether hosts of the private network may be asked.
        query_seconds: how long one query may take.
    """

    s3: dg.ResourceDependency[BoundedS3Resource]
    https_allowed_hosts: list[str] = []
    https_allow_private: bool = False
    query_seconds: float = 600.0

    def listing(self, spec: DatasetSpec) -> Source:
        """Return the source whose objects are those of all partitions; there may be none yet.

        Raises:
            SourceError: there is no such source.
        """
        return self._open(listing_pattern(spec), spec, None)

    @contextmanager
    def fetched(self, spec: DatasetSpec, partition_key: str | None) -> Iterator[list[FetchedFile]]:
        """Bring the objects of one partition to local files, for the length of a `with`.

        Raises:
            SourceError: there is no such object, or it cannot be read.
        """
        with _variables_told(spec.source):
            source, items = self._objects_of(spec, partition_key)
        if not items:
            raise SourceNotFoundError(
                "the source matches no object",
                where=without_secrets(spec.source) + (f", partition {partition_key}" if partition_key else ""),
                remedy="mend dataset.source, or wait for data",
            )
        with tempfile.TemporaryDirectory(prefix="assay-source-") as folder:
            yield [source.fetch(item, Path(folder)) for item in items]

    def _objects_of(self, spec: DatasetSpec, partition_key: str | None) -> tuple[Source, list[SourceObject]]:
        if spec.partitions.by == "object" and partition_key is not None:
            source = self._open(spec.source, spec, None)
            return source, source.those(lambda uri: partition_key_of(uri, spec) == partition_key)
        source = self._open(spec.source, spec, partition_key)
        return source, source.objects()

    def _open(self, template: str, spec: DatasetSpec, partition_key: str | None) -> Source:
        address = expand_source(template, source_environment(), partition_key)
        access = Access(
            s3_client=self.s3.get_client,
            web=WebPolicy(tuple(self.https_allowed_hosts), allow_private=self.https_allow_private),
            connections=sql_connections(),
            query_seconds=self.query_seconds,
        )
        return open_source(address, access, query_of(spec, partition_key))


@contextmanager
def _variables_told(template: str) -> Iterator[None]:
    """Add to "not found" which variables decide where the source is."""
    try:
        yield
    except SourceNotFoundError as error:
        names = [name for name in variables_of(template) if name not in str(error)]
        if not names:
            raise
        remedy = f"set {', '.join(names)} in the environment or in .env; or {error.remedy}"
        raise SourceNotFoundError(
            error.what, where=error.where, found=error.found, expected=error.expected, remedy=remedy
        ) from error
