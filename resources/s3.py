"""The S3 client of dagster-aws's resource, with bounded waiting.

What botocore reports, as typed errors.

A client of S3 with bounded waiting, made of plain settings; nothing of Dagster's is imported.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from dagster_aws.s3 import S3Resource

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
