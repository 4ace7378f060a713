"""What botocore reports, as typed errors.

Does not belong here: retries; botocore makes them, bounded by the client's configuration.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

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

_TAKEN = frozenset({"PreconditionFailed", "412"})
_UNDECIDED = frozenset({"ConditionalRequestConflict", "409"})
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_NO_BUCKET = "NoSuchBucket"
_SERVER_FAILURE = 500
_CREDENTIALS = (
    "give credentials by the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), a profile or an instance role"
)


def is_taken(error: "ClientError") -> bool:
    """Whether a conditional put found the key taken, or a conditional get another version."""
    return _code(error) in _TAKEN


def is_undecided(error: "ClientError") -> bool:
    """Whether S3 left a conditional put undecided because of another writer; it asks to put again."""
    return _code(error) in _UNDECIDED


def is_outage(error: BaseException) -> bool:
    """Whether botocore reports that S3 does not answer, or fails, so that another try may help."""
    if not type(error).__module__.startswith("botocore"):
        return False  # botocore need not be loaded to know
    from botocore.exceptions import ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as BotoConnectionError

    if isinstance(error, ClientError):
        return _status(error) >= _SERVER_FAILURE
    return isinstance(error, BotoConnectionError | HTTPClientError)


@contextmanager
def as_source_error(address: str) -> Iterator[None]:
    """Turn failures of S3 into errors about a source."""
    with _translated(address, _SOURCE):
        yield


@contextmanager
def as_storage_error(address: str) -> Iterator[None]:
    """Turn failures of S3 into errors about the artifact store."""
    with _translated(address, _STORAGE):
        yield


class _Kinds(NamedTuple):
    absent: type[AssayError]
    no_bucket: type[AssayError]
    unreachable: type[AssayError]
    other: type[AssayError]


_SOURCE = _Kinds(SourceNotFoundError, SourceNotFoundError, SourceUnreachableError, SourceError)
_STORAGE = _Kinds(ArtifactNotFoundError, StorageError, StoreUnavailableError, StorageError)


@contextmanager
def _translated(address: str, kinds: _Kinds) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _answered(error, address, kinds) from error
    except BotoCoreError as error:
        if is_outage(error):
            raise kinds.unreachable(
                "S3 does not answer",
                where=address,
                found=type(error).__name__,
                remedy="check ASSAY_S3_ENDPOINT_URL and the network",
            ) from error
        if isinstance(error, _credential_failures()):
            raise MissingCredentialsError(
                "no credentials for S3", where=address, found=str(error), remedy=_CREDENTIALS
            ) from error
        raise kinds.other("the request to S3 failed", where=address, found=str(error)) from error


def _answered(error: "ClientError", address: str, kinds: _Kinds) -> AssayError:
    """Return what S3's own answer means."""
    code, status = _code(error), _status(error)
    if code in _ABSENT:
        return kinds.absent("there is no such object", where=address, found=code)
    if code == _NO_BUCKET:
        return kinds.no_bucket(
            "there is no such bucket",
            where=address,
            found=code,
            remedy="create the bucket, or mend ASSAY_STORAGE_URI or the address",
        )
    found = f"{code or status}: {error.response.get('Error', {}).get('Message', '')}"
    if is_outage(error):
        return kinds.unreachable("S3 fails", where=address, found=found, remedy="run again when the service is well")
    return kinds.other(
        "S3 refused the request", where=address, found=found, remedy="check bucket, permissions and region"
    )


def _code(error: "ClientError") -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: "ClientError") -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _credential_failures() -> tuple[type[Exception], ...]:
    from botocore import exceptions as botocore

    return (
        botocore.NoCredentialsError,
        botocore.PartialCredentialsError,
        botocore.CredentialRetrievalError,
        botocore.ProfileNotFound,
        botocore.SSOError,
        botocore.TokenRetrievalError,
    )
