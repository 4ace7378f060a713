"""Objects of an S3 bucket: a key, one version of it, a folder, or a glob.

Does not belong here: the artifact store's own objects (`resources.object_store`).
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from assay.errors import SourceNotFoundError
from resources.s3_failures import as_source_error
from resources.sources.address import fixed_prefix, is_glob, is_part, matches_glob
from resources.sources.interface import FetchedFile, Source, SourceObject

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

_VERSION = re.compile(r"\?versionId=(?P<id>[^&?/]+)$")


class _Versioned(TypedDict, total=False):
    VersionId: str


class S3Source(Source):
    """`s3://bucket/key`, `s3://bucket/key?versionId=...`, a folder `s3://bucket/key/`, or a glob in the key."""

    def __init__(self, address: str, client: "S3Client") -> None:
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
                remedy="mend dataset.source",
            )

    def objects(self) -> list[SourceObject]:
        """List the objects; a key without wildcards must exist, a folder may be empty."""
        with as_source_error(self._address):
            if self._asked or not (is_glob(self._key) or self._key.endswith("/")):
                head = self._client.head_object(Bucket=self._bucket, Key=self._key, **self._asked)
                return [SourceObject(self._address, head["ETag"].strip('"'), head["ContentLength"])]
            return sorted(self._matching(), key=lambda item: item.uri)

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:
        """Download the very version that was listed."""
        key = item.uri.removeprefix(f"s3://{self._bucket}/")
        path = folder / str(len(list(folder.iterdir())))  # keys are longer than a file's name may be
        with as_source_error(item.uri), path.open("wb") as file:
            answer = self._client.get_object(Bucket=self._bucket, Key=key, IfMatch=item.version, **self._asked)
            for block in answer["Body"].iter_chunks(1 << 20):
                file.write(block)
        return FetchedFile(path=path, uri=item.uri, version=item.version)

    def _matching(self) -> list[SourceObject]:
        prefix = fixed_prefix(self._key)
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        return [
            SourceObject(f"s3://{self._bucket}/{item['Key']}", item["ETag"].strip('"'), item["Size"])
            for page in pages
            for item in page.get("Contents", [])
            if self._is_meant(item["Key"])
        ]

    def _is_meant(self, key: str) -> bool:
        if key.endswith("/"):
            return False  # a mark that some tools put in place of a folder
        folder = not is_glob(self._key)
        return is_part(key.removeprefix(self._key)) if folder else matches_glob(key, self._key)
