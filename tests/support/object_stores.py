"""Object stores of tests, as resources."""

from typing import Any

from resources.object_store import BoundedS3Resource, ObjectStoreResource


def object_store_at(uri: object, **s3: Any) -> ObjectStoreResource:
    """Return a store by its URI; further arguments are those of the S3 client."""
    return ObjectStoreResource(uri=str(uri), s3=BoundedS3Resource(**s3))
