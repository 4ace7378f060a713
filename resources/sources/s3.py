"""Objects of an S3 bucket: a key, one version of it, a folder, or a glob."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from assay.errors import Remedy, SourceNotFoundError
from resources.s3 import as_source_error, has_changed, unless_damaged
from resources.sources.address import fixed_prefix, is_glob, is_part, matches_glob
from resources.sources.cache import NO_CACHE, KeptObject, SourceCache
from resources.sources.interface import FetchedFile, ListingPage, Source, SourceKind, SourceObject

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import ObjectTypeDef

_VERSION = re.compile(r"\?versionId=(?P<id>[^&?/]+)$")


class _Versioned(TypedDict, total=False):
    VersionId: str


class S3Source(Source):
    """`s3://bucket/key`, `s3://bucket/key?versionId=...`, a folder `s3://bucket/key/`, or a glob in the key."""

    def __init__(self, address: str, client: "S3Client", cache: SourceCache = NO_CACHE) -> None:
        self._cache = cache
        version = _VERSION.search(address)
        self._address = address = address[: version.start()] if version else address
        self._asked = _Versioned(VersionId=version["id"]) if version else _Versioned()
        self._bucket, _, self._key = address.removeprefix("s3://").partition("/")
        self._client = client
        if not self._bucket or not self._key:
            raise SourceNotFoundError(
                "the address names no object",
                where=address,
                expected="s3://bucket/key, a folder s3://bucket/folder/, or a glob such as s3://bucket/folder/*.csv",
                remedy=Remedy("correct {}", "dataset.source"),
            )

    def objects(self) -> list[SourceObject]:
        """List the objects; a key without wildcards must exist, a folder may be empty."""
        with as_source_error(self._address):
            if not self._is_listed:
                head = self._client.head_object(Bucket=self._bucket, Key=self._key, **self._asked)
                return [SourceObject(self._address, head["ETag"].strip('"'), head["ContentLength"])]
            return sorted(self._all(), key=lambda item: item.uri)

    def page(self, after: str | None, limit: int) -> ListingPage:
        """List up to `limit` keys after one; keys that do not match count towards the limit."""
        if not self._is_listed:
            return super().page(after, limit)
        start = after.removeprefix(self._root) if after else ""
        with as_source_error(self._address):
            found = self._client.list_objects_v2(
                Bucket=self._bucket, Prefix=fixed_prefix(self._key), StartAfter=start, MaxKeys=limit
            )
        contents = found.get("Contents", [])
        last = self._root + contents[-1]["Key"] if found["IsTruncated"] else None
        return ListingPage(self._matching(contents), last)

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:
        """Download the version that was listed, or copy it from the cache; a newer one is refused."""
        key = item.uri.removeprefix(self._root)
        path = folder / str(len(list(folder.iterdir())))  # keys are longer than a file's name may be
        name = f"{self._client.meta.endpoint_url} {item.uri} {self._asked.get('VersionId', '')}"
        with as_source_error(item.uri):
            with self._cache.kept(name) as kept:
                if kept is not None and self._is_unchanged(key, item.version, kept) and kept.copied_to(path):
                    return FetchedFile(path, item.uri, item.version, unchanged_since=kept.unchanged_since)
            unless_damaged(lambda: self._download(key, item.version, path))
        self._cache.keep(name, path, etag=f'"{item.version}"')
        return FetchedFile(path=path, uri=item.uri, version=item.version)

    def _is_unchanged(self, key: str, version: str, kept: KeptObject) -> bool:
        """Whether the kept version is the listed one, and S3 still has it and lets it be read."""
        if kept.etag != f'"{version}"':
            return False
        return not has_changed(
            lambda: self._client.head_object(Bucket=self._bucket, Key=key, IfNoneMatch=kept.etag, **self._asked)
        )

    def _download(self, key: str, version: str, path: Path) -> None:
        with path.open("wb") as file:
            answer = self._client.get_object(Bucket=self._bucket, Key=key, IfMatch=version, **self._asked)
            for block in answer["Body"].iter_chunks(1 << 20):
                file.write(block)

    @property
    def _is_listed(self) -> bool:
        return not self._asked and (is_glob(self._key) or self._key.endswith("/"))

    @property
    def _root(self) -> str:
        return f"s3://{self._bucket}/"

    def _all(self) -> list[SourceObject]:
        prefix = fixed_prefix(self._key)
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        return [item for page in pages for item in self._matching(page.get("Contents", []))]

    def _matching(self, contents: "Sequence[ObjectTypeDef]") -> list[SourceObject]:
        return [
            SourceObject(self._root + item["Key"], item["ETag"].strip('"'), item["Size"])
            for item in contents
            if self._matches(item["Key"])
        ]

    def _matches(self, key: str) -> bool:
        if key.endswith("/"):
            return False  # a placeholder that some tools create for a folder
        if not is_glob(self._key):
            return is_part(key.removeprefix(self._key))
        return matches_glob(key, self._key) and is_part(self.name_of(self._root + key), self._key.rpartition("/")[2])

    def name_of(self, uri: str) -> str:
        """Return a key below the folder of the address."""
        if not self._is_listed:
            return super().name_of(uri)
        folder, slash, _ = fixed_prefix(self._key).rpartition("/")
        return uri.removeprefix(self._root + folder + slash)


KIND = SourceKind(
    ("s3",), "s3://bucket/key", lambda address, access: S3Source(address, access.s3_client(), access.cache)
)
