"""The deployment's object store and its S3 client, as Dagster resources that the other resources depend on."""

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from resources.s3 import MAX_ATTEMPTS, shared_client
from resources.store.interface import ObjectStore
from resources.store.s3 import open_store

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


class BoundedS3Resource(dg.ConfigurableResource[None]):
    """Makes one shared S3 client with bounded waiting; credentials come from boto3's chain.

    Not dagster-aws's `S3Resource`: its import takes a quarter of a code location's loading time, and its client
    has no timeout for a connection attempt: a host that drops packets keeps each attempt waiting for botocore's 60 s.
    """

    region_name: str | None = Field(default=None, description="Region of the bucket.")
    endpoint_url: str | None = Field(default=None, description="Endpoint of an S3-compatible store.")
    profile_name: str | None = Field(default=None, description="Profile of the AWS configuration files.")
    max_attempts: int = Field(default=MAX_ATTEMPTS, description="Attempts of one request, the first included.")

    def get_client(self) -> "S3Client":
        """Return this process's client with the resource's settings; no request is sent yet.

        Raises:
            MissingCredentialsError: the profile does not exist.
            StorageError: the endpoint is not a URL.
        """
        return shared_client(
            endpoint_url=self.endpoint_url,
            region_name=self.region_name,
            profile_name=self.profile_name,
            max_attempts=self.max_attempts,
        )


class ObjectStoreResource(dg.ConfigurableResource[None]):
    """Opens object stores.

    Attributes:
        uri: of the artifact store: a folder or `s3://bucket/prefix`.
    """

    uri: str
    s3: dg.ResourceDependency[BoundedS3Resource]

    def open(self, uri: str | None = None) -> ObjectStore:
        """Return a store; no request is sent yet.

        Raises:
            StorageError: the URI names no store.
        """
        return open_store(self.uri if uri is None else uri, self.s3.get_client)
