"""The S3 client of dagster-aws's resource, with bounded waiting.

Does not belong here: requests.
"""

from typing import TYPE_CHECKING

from dagster_aws.s3 import S3Resource

from assay.errors import StorageError
from resources.s3_failures import as_storage_error

if TYPE_CHECKING:
    from botocore.config import Config
    from types_boto3_s3.client import S3Client

_CONNECT_SECONDS = 5
_READ_SECONDS = 60


class BoundedS3Resource(S3Resource):
    """dagster-aws's resource with bounded waiting.

    Its own client has no way to bound a connection attempt: a host that drops packets would keep each of
    `max_attempts` waiting for botocore's 60 s.
    """

    def get_client(self) -> "S3Client":
        """Return a client with the resource's settings; nothing is asked of S3 yet."""
        import boto3

        client: S3Client = boto3.session.Session(profile_name=self.profile_name).client(
            "s3",
            region_name=self.region_name,
            endpoint_url=self.endpoint_url,
            use_ssl=self.use_ssl,
            verify=self.verify,
            aws_access_key_id=self.aws_access_key_id,
            aws_secret_access_key=self.aws_secret_access_key,
            aws_session_token=self.aws_session_token,
            config=_config(self),
        )
        return client


def client_of(s3: S3Resource) -> "S3Client":
    """Return the resource's client; making it reads profiles, regions and credentials.

    Raises:
        MissingCredentialsError: the profile does not exist.
        StorageError: the endpoint is no URL.
    """
    try:
        with as_storage_error(s3.endpoint_url or "s3"):
            client: S3Client = s3.get_client()
    except ValueError as error:  # botocore has no type of its own for it
        raise StorageError(
            "the endpoint of S3 cannot be used",
            where=s3.endpoint_url or "s3",
            found=str(error),
            expected="http://host:port or https://host",
            remedy="mend ASSAY_S3_ENDPOINT_URL",
        ) from error
    return client


def _config(s3: S3Resource) -> "Config":
    from botocore import UNSIGNED
    from botocore.config import Config

    return Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"total_max_attempts": s3.max_attempts, "mode": "standard"},
        signature_version=UNSIGNED if s3.use_unsigned_session else None,
    )
