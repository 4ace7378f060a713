"""The sources of pipelines as a Dagster resource: objects listed, or copied to local files."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from assay.arrivals.names import listing_pattern
from assay.credentials import mask
from assay.errors import SourceError, SourceNotFoundError
from assay.scratch import scratch_folder
from assay.specs import PipelineSpec
from assay.specs.dataset import DatasetSpec
from resources.object_store import BoundedS3Resource
from resources.settings import source_environment, sql_connections
from resources.sources.address import without_secrets
from resources.sources.cache import SourceCache
from resources.sources.interface import Access, FetchedFile, Source, SourceObject, from_the_cache
from resources.sources.opening import expand_source, open_source, variables_of
from resources.sources.query import query_of
from resources.sources.web_connection import WebPolicy


class DataSources(dg.ConfigurableResource[None]):
    """Lists and fetches the sources of pipelines.

    Attributes:
        https_allowed_hosts: patterns of hosts that may be requested; any public host when empty.
        https_allow_private: whether hosts of private networks may be requested.
        https_loopback_ports: ports of this machine that may be requested.
        query_seconds: how long one query may take.
        query_memory_mb: memory of a query on a database file, in MiB.
        cache_dir: folder of fetched objects.
        cache_megabytes: how much they may take, in 10^6 bytes; none is kept with 0.
    """

    s3: dg.ResourceDependency[BoundedS3Resource]
    https_allowed_hosts: list[str] = []
    https_allow_private: bool = False
    https_loopback_ports: list[int] = []
    query_seconds: float = 600.0
    query_memory_mb: int = 4096
    cache_dir: str = ""
    cache_megabytes: float = 0.0

    def listing(self, spec: DatasetSpec) -> Source:
        """Return the source with the objects of all partitions; it may be empty.

        Raises:
            SourceError: there is no such source.
        """
        return self._open(expand_source(listing_pattern(spec), source_environment(), None), spec, None)

    @contextmanager
    def fetched(self, spec: DatasetSpec, partition_key: str | None) -> Iterator[list[FetchedFile]]:
        """Copy the objects of one partition to local files, for the length of a `with`.

        Raises:
            SourceError: there is no such object, or it cannot be read.
        """
        named = partition_key if spec.partitions.by == "object" else None
        key = None if named is not None else partition_key
        address = expand_source(spec.source, source_environment(), key)
        with _naming_variables(spec.source):
            source = self._open(address, spec, key)
            items = source.objects() if named is None else _objects_named(source, named)
        if not items:
            raise SourceNotFoundError(
                "the source matches no object",
                where=without_secrets(spec.source) + (f", partition {partition_key}" if partition_key else ""),
                remedy="correct dataset.source, or wait for data",
            )
        with scratch_folder("source") as folder:
            files = [source.fetch(item, Path(folder)) for item in items]
            if note := from_the_cache(files):
                dg.get_dagster_logger().info("%s: %s", without_secrets(spec.source), note)
            yield files

    def _open(self, address: str, spec: DatasetSpec, partition_key: str | None) -> Source:
        access = Access(
            s3_client=self.s3.get_client,
            web=WebPolicy(
                tuple(self.https_allowed_hosts),
                allow_private=self.https_allow_private,
                loopback_ports=tuple(self.https_loopback_ports),
            ),
            connections=sql_connections(),
            query_seconds=self.query_seconds,
            query_memory_mb=self.query_memory_mb,
            cache=SourceCache(Path(self.cache_dir), int(self.cache_megabytes * 1e6)),
        )
        return open_source(address, access, query_of(spec, partition_key))


def mask_variables(specs: Iterable[PipelineSpec]) -> None:
    """Show the variables of the pipelines' sources in place of their values, in this process.

    Every process that loads the code location masks them, as a step in another process may show what this one read.
    """
    environment = source_environment()
    for spec in specs:
        joined = [each.source for each in spec.features.other_sources] if spec.features is not None else []
        for template in (spec.dataset.source, (spec.scoring and spec.scoring.source) or "", *joined):
            for name in variables_of(template):
                mask(environment.get(name, ""), "${" + name + "}")


def _objects_named(source: Source, key: str) -> list[SourceObject]:
    """Return the object that makes a partition.

    Raises:
        SourceError: the key is of an earlier release, without the folder, and several objects have that name.
    """
    found = source.matching(lambda uri: source.name_of(uri) == key)
    found = found or source.matching(lambda uri: uri.rsplit("/", 1)[-1] == key)
    if len(found) > 1:
        raise SourceError(
            "several objects have the partition's name",
            where=f"partition {key}",
            found=", ".join(item.uri for item in found),
            expected=f"a key with the folder, such as {source.name_of(found[0].uri)}",
            remedy="materialize the partitions whose keys name the folder; the sensor adds them",
        )
    return found


@contextmanager
def _naming_variables(template: str) -> Iterator[None]:
    """Name the variables of a source in the error that its address leads nowhere."""
    try:
        yield
    except SourceNotFoundError as error:
        names, environment = variables_of(template), source_environment()
        if not names:
            raise
        steps = ", ".join(f"{'correct' if environment.get(name) else 'set'} {name}" for name in names)
        remedy = f"{steps} in the environment or in .env; or {error.remedy}"
        raise SourceNotFoundError(
            error.what, where=error.where, found=error.found, expected=error.expected, remedy=remedy
        ) from error
