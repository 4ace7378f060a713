"""What botocore reports, as typed errors.

Does not belong here: retries; botocore makes them, bounded by the client's configuration.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from assay.errors import (
    ArtifactNotFoundError,
    AssayError,
    MissingCredentialsError,
    SourceError,
    SourceNotFoundError,
    SourceUnreachableError,
    StorageError,
    StoreUnavailableError,
)

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_ABSENT = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})
_CREDENTIALS = (
    "give credentials by the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), a profile or an instance role"
)


def is_conflict(error: "ClientError") -> bool:
    """Whether a conditional put found the key taken."""
    return str(error.response.get("Error", {}).get("Code", "")) in _TAKEN


@contextmanager
def as_source_error(address: str) -> Iterator[None]:
    """Turn failures of S3 into errors about a source."""
    with _translated(address, absent=SourceNotFoundError, unreachable=SourceUnreachableError, other=SourceError):
        yield


@contextmanager
def as_storage_error(address: str) -> Iterator[None]:
    """Turn failures of S3 into errors about the artifact store."""
    with _translated(address, absent=ArtifactNotFoundError, unreachable=StoreUnavailableError, other=StorageError):
        yield


@contextmanager
def _translated(
    address: str, *, absent: type[AssayError], unreachable: type[AssayError], other: type[AssayError]
) -> Iterator[None]:
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
    )
    from botocore.exceptions import (
        ConnectionError as BotoConnectionError,
    )

    try:
        yield
    except (NoCredentialsError, PartialCredentialsError, ProfileNotFound) as error:
        raise MissingCredentialsError(
            "no credentials for S3", where=address, found=str(error), remedy=_CREDENTIALS
        ) from error
    except ClientError as error:
        details = error.response.get("Error", {})
        code, status = str(details.get("Code", "")), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if code in _ABSENT:
            raise absent("there is no such object or bucket", where=address, found=code) from error
        raise other(
            "S3 refused the request",
            where=address,
            found=f"{code or status}: {details.get('Message', '')}",
            remedy="check bucket, permissions and region",
        ) from error
    except (BotoConnectionError, HTTPClientError) as error:
        raise unreachable(
            "S3 does not answer",
            where=address,
            found=type(error).__name__,
            remedy="check ASSAY_S3_ENDPOINT_URL and the network",
        ) from error
    except BotoCoreError as error:
        raise other("the request to S3 failed", where=address, found=str(error)) from error
