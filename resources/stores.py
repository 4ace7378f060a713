"""The S3 client and the artifact store that the settings name."""

from resources.object_store import BoundedS3Resource, ObjectStoreResource
from resources.settings import Settings


def s3_of(settings: Settings) -> BoundedS3Resource:
    """Return the deployment's S3 client; nothing is connected before it is used."""
    return BoundedS3Resource(
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.s3_region,
        profile_name=settings.s3_profile,
        max_attempts=3,
    )


def object_store_of(settings: Settings, s3: BoundedS3Resource) -> ObjectStoreResource:
    """Return the deployment's artifact store, in the space of its branch."""
    return ObjectStoreResource(uri=settings.artifact_uri, s3=s3, branch=settings.space.branch)
