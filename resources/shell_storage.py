"""Sources and stores of the platform for the shell's commands, under the entry points `assay.storage`."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import SourceNotFoundError, StorageError
from assay.specs.references import reference_of
from resources.artifacts.store import ArtifactStore
from resources.asset_rows import file_of, stored_rows
from resources.object_store import BoundedS3Resource, ObjectStoreResource
from resources.s3 import shared_client
from resources.settings import Settings, source_environment
from resources.sources.address import refuse_credentials, without_secrets
from resources.sources.cache import SourceCache
from resources.sources.interface import Access, FetchedFile, from_the_cache
from resources.sources.opening import expand_source, open_source
from resources.sources.web_connection import WebPolicy
from resources.store.bundles import put_bundle
from resources.store.interface import ObjectStore
from resources.store.s3 import open_store

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

_LOG = logging.getLogger("assay.shell")


def platform_storage() -> "PlatformStorage":
    """Return the storage by the deployment's settings; nothing is connected before it is used."""
    return PlatformStorage(Settings())


class PlatformStorage:
    """Implements `assay.shell.storage.Storage` for every scheme of the platform."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def fetch(self, uri: str, folder: Path) -> Sequence[FetchedFile]:
        """Bring the objects of an address to this machine; `${NAME}` is filled in from the environment.

        The rows of an asset are those that the deployment's store has, of one partition by `<address>@<key>`.
        """
        settings = self._settings
        address, _, partition = uri.partition("@")
        reference = reference_of(address)
        if reference is not None:
            return [file_of(stored_rows(self._artifacts(), reference, partition or None), address, folder)]
        web = WebPolicy(
            settings.web_hosts, allow_private=settings.https_allow_private, loopback_ports=settings.loopback_ports
        )
        cache = SourceCache(settings.source_cache, int((settings.cache_megabytes or 0) * 1e6))
        source = open_source(expand_source(uri, source_environment(), None), Access(self._s3_client, web, cache=cache))
        items = source.objects()
        if not items:
            raise SourceNotFoundError(
                "the source matches no object", where=without_secrets(uri), remedy="correct the address"
            )
        files = [source.fetch(item, folder) for item in items]
        if note := from_the_cache(files):
            _LOG.info("%s: %s", without_secrets(uri), note)
        return files

    def require_target(self, uri: str) -> None:
        """Look at the address alone; nothing is asked of S3."""
        self._store_of(uri)

    def put(self, path: Path, uri: str) -> None:
        """Put a file to `s3://` by one request, or in parts that become visible together."""
        store, key = self._store_of(uri)
        store.put_file(key, path)

    def has_file(self, uri: str) -> bool:
        """Ask for the object's head."""
        store, key = self._store_of(uri)
        return store.stat(key) is not None

    def put_bundle(self, folder: Path, uri: str, *, overwrite: bool = False) -> None:
        """Put the files, and then the manifest that names them."""
        store, prefix = self._store_of(uri)
        put_bundle(store, prefix.rstrip("/"), folder, overwrite=overwrite)

    def _store_of(self, uri: str) -> tuple[ObjectStore, str]:
        refuse_credentials(uri)
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket or not key.strip("/"):
            raise StorageError(
                "nothing can be written to this address",
                where=without_secrets(uri),
                expected="a local path, or s3://bucket/key",
            )
        return open_store(f"s3://{bucket}", self._s3_client), key

    def _artifacts(self) -> ArtifactStore:
        settings = self._settings
        s3 = BoundedS3Resource(
            endpoint_url=settings.s3_endpoint_url, region_name=settings.s3_region, profile_name=settings.s3_profile
        )
        opened = ObjectStoreResource(uri=settings.artifact_uri, s3=s3, branch=settings.space.branch)
        return ArtifactStore(opened.open(), shares_rows=opened.space.shares_rows)

    def _s3_client(self) -> "S3Client":
        settings = self._settings
        return shared_client(
            endpoint_url=settings.s3_endpoint_url,
            region_name=settings.s3_region,
            profile_name=settings.s3_profile,
        )
