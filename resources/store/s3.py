"""A bucket of S3, or of a store with S3's protocol, as an object store; and the store of any URI."""

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from assay.errors import ArtifactNotFoundError, DigestMismatchError, StorageError, StoreUnavailableError
from resources.s3 import as_storage_error, is_taken, is_undecided, unless_damaged
from resources.store.interface import ObjectStat, ObjectStore, hashed
from resources.store.local import LocalStore

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from types_boto3_s3.client import S3Client


class RangedReader(io.RawIOBase):
    """A seekable reader of one version of an object.

    Every read is one ranged request with the same ETag, so that a rewritten object is refused instead of mixed in.
    """

    def __init__(self, client: "S3Client", bucket: str, key: str, size: int, etag: str) -> None:
        super().__init__()
        self._client = client
        self._bucket = bucket
        self._key = key
        self._size = size
        self._etag = etag.strip('"')
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, without a request."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill the buffer with one ranged request; 0 at the end."""
        view = memoryview(buffer).cast("B")
        end = min(self._position + len(view), self._size)
        if end <= self._position:
            return 0
        data = self._fetched(end)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _fetched(self, end: int) -> bytes:
        from botocore.exceptions import ClientError

        address = f"s3://{self._bucket}/{self._key}"
        with as_storage_error(address):
            try:
                return unless_damaged(lambda: self._range(end))
            except ClientError as error:
                if not is_taken(error):
                    raise
                raise DigestMismatchError(
                    "the object was rewritten while it was read", where=address, expected=f"ETag {self._etag}"
                ) from error

    def _range(self, end: int) -> bytes:
        between = f"bytes={self._position}-{end - 1}"
        answer = self._client.get_object(Bucket=self._bucket, Key=self._key, Range=between, IfMatch=self._etag)
        return answer["Body"].read()


_READ_AHEAD = 1 << 18
_HASHED = re.compile(r"%_[0-9a-f]{64}(?=/|$)")
_UNDECIDED_PUTS = 10


class S3Store(ObjectStore):
    """Objects below a prefix of a bucket. The bucket must exist; it is never created."""

    def __init__(self, client: "S3Client", bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._whole_names: dict[str, str] = {}

    def put_file(self, key: str, path: Path) -> None:
        """Upload the file; a large one in parts that become visible together."""
        with as_storage_error(self.uri(key)), path.open("rb") as file:
            self._client.upload_fileobj(file, self._bucket, self._stored(key))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Put on the condition `If-None-Match: *`."""
        return self._put_if(key, data, IfNoneMatch="*")

    def replace(self, key: str, data: bytes, former: bytes) -> bool:
        """Put on the condition that the object is still the version that held the former bytes."""
        try:
            with as_storage_error(self.uri(key)):
                found, etag = unless_damaged(lambda: self._got(key))
            return found == former and self._put_if(key, data, IfMatch=etag)
        except ArtifactNotFoundError:
            return False

    def _put_if(self, key: str, data: bytes, **condition: str) -> bool:
        """Put on a condition; put again when S3 says that it could not decide."""
        from botocore.exceptions import ClientError

        with as_storage_error(self.uri(key)):
            for _ in range(_UNDECIDED_PUTS):
                try:
                    self._client.put_object(Bucket=self._bucket, Key=self._stored(key), Body=data, **condition)  # type: ignore[arg-type]
                except ClientError as error:
                    if is_taken(error):
                        return False
                    if not is_undecided(error):
                        raise
                else:
                    return True
        raise StoreUnavailableError(
            "S3 could not decide between writers that put the same key",
            where=self.uri(key),
            found=f"{_UNDECIDED_PUTS} times ConditionalRequestConflict",
            remedy="run again",
        )

    def get_bytes(self, key: str) -> bytes:
        """Get the whole object."""
        with as_storage_error(self.uri(key)):
            return unless_damaged(lambda: self._got(key)[0])

    def _got(self, key: str) -> tuple[bytes, str]:
        """Return the whole object and its ETag."""
        answer = self._client.get_object(Bucket=self._bucket, Key=self._stored(key))
        return answer["Body"].read(), answer["ETag"]

    def open(self, key: str) -> IO[bytes]:
        """Read by ranges, of the version that is stored now."""
        with as_storage_error(self.uri(key)):
            head = self._client.head_object(Bucket=self._bucket, Key=self._stored(key))
        raw = RangedReader(self._client, self._bucket, self._stored(key), head["ContentLength"], head["ETag"])
        return io.BufferedReader(raw, _READ_AHEAD)

    def stat(self, key: str) -> ObjectStat | None:
        """Ask for the object's head."""
        try:
            with as_storage_error(self.uri(key)):
                head = self._client.head_object(Bucket=self._bucket, Key=self._stored(key))
        except ArtifactNotFoundError:
            return None
        return ObjectStat(key=key, size=head["ContentLength"], modified=head["LastModified"].timestamp())

    def list_objects(self, prefix: str) -> Iterator[ObjectStat]:
        """List page by page; S3 lists by key."""
        pages = self._client.get_paginator("list_objects_v2")
        with as_storage_error(self.uri(prefix)):
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._stored(prefix)):
                for item in page.get("Contents", []):
                    key = hashed(item["Key"].removeprefix(self._prefix))
                    yield ObjectStat(key=key, size=item["Size"], modified=item["LastModified"].timestamp())

    def delete(self, key: str) -> None:
        """Delete the object."""
        with as_storage_error(self.uri(key)):
            self._client.delete_object(Bucket=self._bucket, Key=self._stored(key))

    def remove_unfinished(self, *, before: float) -> list[str]:
        """Abort the uploads in parts of killed writers."""
        pages, removed = self._client.get_paginator("list_multipart_uploads"), []
        with as_storage_error(self.uri("")):
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for item in page.get("Uploads", []):
                    if item["Initiated"].timestamp() < before:
                        key, upload = item["Key"], item["UploadId"]
                        self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)
                        removed.append(key.removeprefix(self._prefix))
        return removed

    def uri(self, key: str) -> str:
        """Return the object's `s3://` address."""
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def _stored(self, key: str) -> str:
        """Return a key of the bucket; below a long name that version 0.1 stored whole, the key has the whole name."""
        if not _HASHED.search(key):
            return self._prefix + key
        stored = self._prefix
        for position, component in enumerate(key.split("/")):
            stored += "/" if position else ""
            stored += self._whole_name(stored, component) if _HASHED.search(component) else component
        return stored

    def _whole_name(self, parent: str, component: str) -> str:
        """Return the whole name below a prefix of the bucket that a hashed component stands for, if it is there."""
        asked = parent + component
        if asked not in self._whole_names:
            pages = self._client.get_paginator("list_objects_v2")
            listed = pages.paginate(Bucket=self._bucket, Prefix=parent + _HASHED.sub("", component), Delimiter="/")
            folders = (folder["Prefix"] for page in listed for folder in page.get("CommonPrefixes", []))
            names = (folder.removeprefix(parent).rstrip("/") for folder in folders)
            whole = next((name for name in names if name != component and hashed(name) == component), component)
            self._whole_names[asked] = whole
        return self._whole_names[asked]


def open_store(uri: str, s3_client: "Callable[[], S3Client]") -> ObjectStore:
    """Return the store at a URI; nothing is asked of it yet.

    Args:
        uri: a folder, `file://...` or `s3://bucket/prefix`.
        s3_client: makes the client, called for `s3://` alone.

    Raises:
        StorageError: the scheme is unknown, or the bucket is missing.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return LocalStore(Path(uri))
    if scheme == "file":
        return LocalStore(Path(rest))
    bucket, _, prefix = rest.partition("/")
    if scheme == "s3" and bucket:
        return S3Store(s3_client(), bucket, prefix)
    raise StorageError(
        "there is no store behind this URI",
        where=uri,
        expected="a folder, or s3://bucket/prefix",
        remedy="correct ASSAY_STORAGE_URI or target_output_path",
    )
