"""The S3 client of dagster-aws's resource, with bounded waiting.

Does not belong here: how it is made of plain settings (`s3_connection`), requests.
"""

from typing import TYPE_CHECKING

from dagster_aws.s3 import S3Resource

from resources.s3_connection import bounded_client, made_client

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


class BoundedS3Resource(S3Resource):
    """dagster-aws's resource with bounded waiting.

    Its own client has no way to bound a connection attempt: a host that drops packets would keep each of
    `max_attempts` waiting for botocore's 60 s.
    """

    def get_client(self) -> "S3Client":
        """Return a client with the resource's settings; nothing is asked of S3 yet."""
        return bounded_client(
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


def client_of(s3: S3Resource) -> "S3Client":
    """Return the resource's client; making it reads profiles, regions and credentials.

    Raises:
        MissingCredentialsError: the profile does not exist.
        StorageError: the endpoint is no URL.
    """
    return made_client(s3.get_client, s3.endpoint_url)
