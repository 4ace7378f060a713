"""A seekable reader over one version of an S3 object.

Does not belong here: buffering; `io.BufferedReader` does that.
"""

import io
from typing import TYPE_CHECKING

from assay.errors import DigestMismatchError
from resources.s3_failures import as_storage_error, is_taken

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from types_boto3_s3.client import S3Client


class RangedReader(io.RawIOBase):
    """Every read is one ranged request for the same ETag: a rewritten object is refused, never mixed in."""

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
                answer = self._client.get_object(
                    Bucket=self._bucket, Key=self._key, Range=f"bytes={self._position}-{end - 1}", IfMatch=self._etag
                )
            except ClientError as error:
                if not is_taken(error):
                    raise
                raise DigestMismatchError(
                    "the object was rewritten while it was read", where=address, expected=f"ETag {self._etag}"
                ) from error
            return answer["Body"].read()
