"""Opens the store of a URI."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import StorageError
from resources.store.interface import ObjectStore
from resources.store.local import LocalStore
from resources.store.s3 import S3Store

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


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
