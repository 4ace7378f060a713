"""The deployment's object store and its S3 client, as Dagster resources that the other resources depend on."""

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from resources.s3 import shared_client
from resources.store.interface import ObjectStore
from resources.store.s3 import open_store

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


class BoundedS3Resource(dg.ConfigurableResource[None]):
    """Makes one shared S3 client with bounded waiting; has the fields and `get_client` of dagster-aws's `S3Resource`.

    Importing dagster-aws takes a quarter of the time in which a code location loads, and its client has no timeout for
    a connection attempt: a host that drops packets keeps each of `max_attempts` waiting for botocore's 60 s.
    """

    use_unsigned_session: bool = Field(default=False, description="Send requests without credentials.")
    region_name: str | None = Field(default=None, description="Region of the bucket.")
    endpoint_url: str | None = Field(default=None, description="Endpoint of an S3-compatible store.")
    max_attempts: int = Field(default=5, description="Attempts of one request, the first included.")
    profile_name: str | None = Field(default=None, description="Profile of the AWS configuration files.")
    use_ssl: bool = Field(default=True, description="Whether to use TLS.")
    verify: bool | None = Field(default=None, description="Whether to verify certificates; boto3's default unless set.")
    aws_access_key_id: str | None = Field(default=None, description="Access key; the credential chain unless set.")
    aws_secret_access_key: str | None = Field(default=None, description="Secret key; the credential chain unless set.")
    aws_session_token: str | None = Field(default=None, description="Session token of temporary credentials.")

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
            unsigned=self.use_unsigned_session,
            use_ssl=self.use_ssl,
            verify=self.verify,
            aws_access_key_id=self.aws_access_key_id,
            aws_secret_access_key=self.aws_secret_access_key,
            aws_session_token=self.aws_session_token,
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
