"""A client of S3 with bounded waiting, made of plain settings; nothing of Dagster's is imported.

Does not belong here: Dagster's resource (`s3_client`), requests.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from assay.errors import StorageError
from resources.s3_failures import as_storage_error

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

MAX_ATTEMPTS = 3
_CONNECT_SECONDS = 5
_READ_SECONDS = 60


def bounded_client(
    *,
    endpoint_url: str | None,
    region_name: str | None,
    profile_name: str | None,
    max_attempts: int = MAX_ATTEMPTS,
    unsigned: bool = False,
    **further: Any,
) -> "S3Client":
    """Return a client; nothing is asked of S3 yet. Making it reads profiles, regions and credentials.

    Args:
        endpoint_url: of an S3-compatible store; AWS itself unless given.
        region_name: of the store.
        profile_name: of the AWS configuration files.
        max_attempts: of one request.
        unsigned: whether requests go without credentials.
        further: of boto3's `Session.client`.
    """
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"total_max_attempts": max_attempts, "mode": "standard"},
        signature_version=UNSIGNED if unsigned else None,
    )
    client: S3Client = boto3.session.Session(profile_name=profile_name).client(
        "s3", region_name=region_name, endpoint_url=endpoint_url, config=config, **further
    )
    return client


def made_client(make: "Callable[[], S3Client]", endpoint_url: str | None) -> "S3Client":
    """Make a client, its failures typed.

    Raises:
        MissingCredentialsError: the profile does not exist.
        StorageError: the endpoint is no URL.
    """
    where = endpoint_url or "s3"
    try:
        with as_storage_error(where):
            return make()
    except ValueError as error:  # botocore has no type of its own for it
        raise StorageError(
            "the endpoint of S3 cannot be used",
            where=where,
            found=str(error),
            expected="http://host:port or https://host",
            remedy="mend ASSAY_S3_ENDPOINT_URL",
        ) from error
