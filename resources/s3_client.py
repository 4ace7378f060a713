"""The S3 client that dagster-aws's resource makes.

Does not belong here: requests.
"""

from typing import TYPE_CHECKING

from dagster_aws.s3 import S3Resource

from resources.s3_failures import as_storage_error

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


def client_of(s3: S3Resource) -> "S3Client":
    """Return a client; making it reads profiles and regions, and sends nothing.

    Raises:
        MissingCredentialsError: the profile does not exist.
    """
    with as_storage_error(s3.endpoint_url or "s3"):
        client: S3Client = s3.get_client()
    return client
