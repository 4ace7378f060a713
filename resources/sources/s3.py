"""Objects of an S3 bucket: a key, or a glob over a prefix.

Does not belong here: the artifact store's own objects (`resources.object_store`).
"""

import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from resources.s3_failures import as_source_error
from resources.sources.interface import FetchedFile, Source, SourceObject

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

_GLOB = frozenset("*?[")


class S3Source(Source):
    """`s3://bucket/key`, or a glob in the key."""

    def __init__(self, address: str, client: "S3Client") -> None:
        parts = urlsplit(address, allow_fragments=False)
        self._address = address
        self._bucket = parts.netloc
        self._key = address.removeprefix(f"s3://{parts.netloc}/")
        self._client = client

    def objects(self) -> list[SourceObject]:
        """List the objects; a key without wildcards must exist."""
        with as_source_error(self._address):
            if not _GLOB.intersection(self._key):
                head = self._client.head_object(Bucket=self._bucket, Key=self._key)
                return [SourceObject(self._address, head["ETag"].strip('"'), head["ContentLength"])]
            return sorted(self._matching(), key=lambda item: item.uri)

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:
        """Download the very version that was listed."""
        key = item.uri.removeprefix(f"s3://{self._bucket}/")
        path = folder / f"{len(list(folder.iterdir()))}-{key.rsplit('/', 1)[-1]}"
        with as_source_error(item.uri), path.open("wb") as file:
            answer = self._client.get_object(Bucket=self._bucket, Key=key, IfMatch=item.version)
            for block in answer["Body"].iter_chunks(1 << 20):
                file.write(block)
        return FetchedFile(path=path, uri=item.uri, version=item.version)

    def _matching(self) -> list[SourceObject]:
        prefix = self._key[: min(self._key.index(mark) for mark in _GLOB if mark in self._key)]
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        return [
            SourceObject(f"s3://{self._bucket}/{item['Key']}", item["ETag"].strip('"'), item["Size"])
            for page in pages
            for item in page.get("Contents", [])
            if fnmatch.fnmatchcase(item["Key"], self._key) and not item["Key"].endswith("/")
        ]
