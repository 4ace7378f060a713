"""S3: one client for each configuration, with bounded waiting, and botocore's failures as typed errors."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

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
from resources.settings import aws_variables

if TYPE_CHECKING:
    from collections.abc import Hashable

    from botocore.exceptions import ClientError
    from types_boto3_s3.client import S3Client

Got = TypeVar("Got")
MAX_ATTEMPTS = 3
_CONNECT_SECONDS = 5
_READ_SECONDS = 60
_NOT_MODIFIED = 304
_SERVER_FAILURE = 500
_CODES_TAKEN = frozenset({"PreconditionFailed", "412"})
_CODES_UNDECIDED = frozenset({"ConditionalRequestConflict", "409"})
_CODES_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_CODE_NO_BUCKET = "NoSuchBucket"
_CREDENTIALS = (
    "give credentials by the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), a profile or an instance role"
)
_clients: "dict[Hashable, S3Client]" = {}
_creating = threading.Lock()
# a child process must not share its parent's connections
os.register_at_fork(after_in_child=_clients.clear)


def shared_client(
    *,
    endpoint_url: str | None,
    region_name: str | None,
    profile_name: str | None,
    max_attempts: int = MAX_ATTEMPTS,
) -> "S3Client":
    """Return this process's client for a configuration; it is thread-safe, and no request is sent yet.

    The client has a session of its own: boto3's default session is process-wide and keeps the
    credentials of its first caller. The AWS_* variables are part of the configuration.

    Raises:
        MissingCredentialsError: the profile does not exist.
        StorageError: the endpoint is not a URL.
    """
    key = (endpoint_url, region_name, profile_name, max_attempts, aws_variables())
    with _creating:
        if key not in _clients:
            _clients[key] = _new_client(endpoint_url, region_name, profile_name, max_attempts)
        return _clients[key]


def _new_client(
    endpoint_url: str | None, region_name: str | None, profile_name: str | None, max_attempts: int
) -> "S3Client":
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"total_max_attempts": max_attempts, "mode": "standard"},
    )
    where = endpoint_url or "s3"
    try:
        with as_storage_error(where):
            session = boto3.session.Session(profile_name=profile_name)
            return session.client("s3", config=config, endpoint_url=endpoint_url, region_name=region_name)
    except ValueError as error:  # botocore has no type of its own for it
        raise StorageError(
            "the endpoint of S3 cannot be used",
            where=where,
            found=str(error),
            expected="http://host:port or https://host",
            remedy="correct ASSAY_S3_ENDPOINT_URL",
        ) from error


def is_taken(error: "ClientError") -> bool:
    """Whether a conditional put found the key taken, or a conditional get another version."""
    return _code(error) in _CODES_TAKEN


def is_undecided(error: "ClientError") -> bool:
    """Whether S3 left a conditional put undecided because of another writer; it asks for another request."""
    return _code(error) in _CODES_UNDECIDED


def is_outage(error: BaseException) -> bool:
    """Whether botocore reports that S3 does not answer or fails, so that a retry may succeed."""
    if not type(error).__module__.startswith("botocore"):
        return False  # without an import of botocore
    from botocore.exceptions import ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as BotoConnectionError

    if isinstance(error, ClientError):
        return _status(error) >= _SERVER_FAILURE
    return isinstance(error, BotoConnectionError | HTTPClientError)


def unless_damaged(get: Callable[[], Got]) -> Got:
    """Return what a request gives; what fails its checksum is requested again once, as a bit may have flipped."""
    from botocore.exceptions import FlexibleChecksumError

    with suppress(FlexibleChecksumError):
        return get()
    return get()


def has_changed(request: Callable[[], object]) -> bool:
    """Whether a request with `IfNoneMatch` finds another version; S3 answers 304 where it finds the same."""
    from botocore.exceptions import ClientError

    try:
        request()
    except ClientError as error:
        if _status(error) == _NOT_MODIFIED:
            return False
        raise
    return True


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


class _Errors(NamedTuple):
    """The types of error for one use of S3."""

    absent: type[AssayError]
    no_bucket: type[AssayError]
    unreachable: type[AssayError]
    other: type[AssayError]


_SOURCE = _Errors(SourceNotFoundError, SourceNotFoundError, SourceUnreachableError, SourceError)
_STORAGE = _Errors(ArtifactNotFoundError, StorageError, StoreUnavailableError, StorageError)


@contextmanager
def _translated(address: str, errors: _Errors) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError

    try:
        yield
    except ClientError as error:
        raise _from_answer(error, address, errors) from error
    except BotoCoreError as error:
        if is_outage(error):
            raise errors.unreachable(
                "S3 does not answer",
                where=address,
                found=type(error).__name__,
                remedy="check ASSAY_S3_ENDPOINT_URL and the network",
            ) from error
        if isinstance(error, _credential_failures()):
            raise MissingCredentialsError(
                "no credentials for S3", where=address, found=str(error), remedy=_CREDENTIALS
            ) from error
        if isinstance(error, FlexibleChecksumError):
            raise errors.other(
                "an object of S3 arrived damaged, twice",
                where=address,
                found=str(error),
                expected="the bytes of which S3 keeps the checksum",
                remedy="run again; if it fails again, write the object again or restore an earlier version of it",
            ) from error
        raise errors.other("the request to S3 failed", where=address, found=str(error)) from error


def _from_answer(error: "ClientError", address: str, errors: _Errors) -> AssayError:
    """Return the error for what S3 answered."""
    code, status = _code(error), _status(error)
    if code in _CODES_ABSENT:
        return errors.absent("there is no such object", where=address, found=code)
    if code == _CODE_NO_BUCKET:
        return errors.no_bucket(
            "there is no such bucket",
            where=address,
            found=code,
            remedy="create the bucket, or correct ASSAY_STORAGE_URI or the address",
        )
    found = f"{code or status}: {error.response.get('Error', {}).get('Message', '')}"
    if is_outage(error):
        return errors.unreachable("S3 fails", where=address, found=found, remedy="run again when the service is well")
    return errors.other(
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
