"""Objects of an S3 bucket: a key, or a glob over a prefix.

Does not belong here: the artifact store's own objects (`resources.object_store`).
"""

from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import SourceNotFoundError
from resources.s3_failures import as_source_error
from resources.sources.address import fixed_prefix, is_glob, matches_glob
from resources.sources.interface import FetchedFile, Source, SourceObject

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


class S3Source(Source):
    """`s3://bucket/key`, or a glob in the key."""

    def __init__(self, address: str, client: "S3Client") -> None:
        self._address = address
        self._bucket, _, self._key = address.removeprefix("s3://").partition("/")
        self._client = client
        if not self._bucket or not self._key:
            raise SourceNotFoundError(
                "the address names no object",
                where=address,
                expected="s3://bucket/key, or a glob such as s3://bucket/folder/*.csv",
                remedy="mend dataset.source",
            )

    def objects(self) -> list[SourceObject]:
        """List the objects; a key without wildcards must exist."""
        with as_source_error(self._address):
            if not is_glob(self._key):
                head = self._client.head_object(Bucket=self._bucket, Key=self._key)
                return [SourceObject(self._address, head["ETag"].strip('"'), head["ContentLength"])]
            return sorted(self._matching(), key=lambda item: item.uri)

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:
        """Download the very version that was listed."""
        key = item.uri.removeprefix(f"s3://{self._bucket}/")
        path = folder / str(len(list(folder.iterdir())))  # keys are longer than a file's name may be
        with as_source_error(item.uri), path.open("wb") as file:
            answer = self._client.get_object(Bucket=self._bucket, Key=key, IfMatch=item.version)
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
            if matches_glob(item["Key"], self._key) and not item["Key"].endswith("/")
        ]
