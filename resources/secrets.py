"""Secrets of a deployment from files or AWS Secrets Manager, in place of variables that hold them.

It is read before the settings are known, so it reads none of them.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from assay.errors import SettingError

BACKEND = "ASSAY_SECRETS_FROM"
_FILE = "_FILE"
_AWS = "aws:"
_CONNECTION = "ASSAY_SQL_"
_OF_SOURCES = (_CONNECTION, "ASSAY_SOURCE_")
_LARGEST_FILE = 65_536
"""Bytes, as the largest secret of AWS."""
_ARN = re.compile(r"arn:aws[\w-]*:secretsmanager:(?P<region>[\w-]+):")
_CONNECT_SECONDS, _READ_SECONDS = 5, 20
_FORM = 'a JSON object of names and texts, such as {"ASSAY_SERVE_KEYS": "..."}'


def secrets_of(environment: Mapping[str, str], secret_settings: frozenset[str], aws: object = None) -> dict[str, str]:
    """Return secrets by the names of their variables, without those that the environment itself gives.

    Args:
        environment: variables, by names in any case.
        secret_settings: variables that may be in a file or in the backend, beside those of sources.
        aws: what AWS credentials depend on; the backend is asked once for each in a process.

    Raises:
        SettingError: a file or the backend cannot be read, or has a name that is no secret; a secret is given twice.
    """
    given = {name.upper(): value for name, value in environment.items()}
    found = {**_of_backend(given.get(BACKEND, "").strip(), secret_settings, aws), **_of_files(given, secret_settings)}
    return {name: value for name, value in found.items() if not given.get(name)}


def _of_files(given: Mapping[str, str], secret_settings: frozenset[str]) -> dict[str, str]:
    found = {}
    for variable, path in given.items():
        name = variable.removesuffix(_FILE)
        if name == variable or not path or not (name in secret_settings or _is_connection(name, path)):
            continue
        found[name] = _read(Path(path), variable)
        # the platform itself may have set the variable, for libraries
        if given.get(name, found[name]) not in ("", found[name]):
            raise SettingError(
                "a secret is given twice", where=f"{name} and {variable}", remedy="remove one of the two variables"
            )
    return found


def _is_connection(name: str, value: str) -> bool:
    # a name of a connection may end so, too; and of a source, the value may be its own path
    return name.startswith(_CONNECTION) and name != _CONNECTION and "://" not in value


def _read(path: Path, variable: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
        text = data.decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        found = getattr(error, "strerror", None) or "not UTF-8"
        raise _unreadable(variable, f"{path}: {found}") from None
    if not text or len(data) > _LARGEST_FILE:
        raise _unreadable(variable, f"{path}: {'empty' if not text else 'too large'}")
    return text


def _unreadable(variable: str, found: str) -> SettingError:
    return SettingError(
        "the file of a secret cannot be used",
        where=variable,
        found=found,
        expected=f"a text file of 1 to {_LARGEST_FILE:,} bytes",
        remedy="correct the path, or let this user read the file",
    )


def _of_backend(backend: str, secret_settings: frozenset[str], aws: object) -> Mapping[str, str]:
    if not backend:
        return {}
    if not backend.startswith(_AWS) or backend == _AWS:
        raise SettingError(
            "there is no such backend of secrets",
            where=BACKEND,
            found=backend.partition(":")[0],
            expected="aws:NAME or aws:ARN of a secret in AWS Secrets Manager",
            remedy="correct the setting, or remove it",
        )
    found = _of_aws(backend.removeprefix(_AWS), aws)
    for name in found:
        if name not in secret_settings and not name.startswith(_OF_SOURCES):
            raise SettingError(
                "a name in the backend is no secret of the deployment",
                where=f"{BACKEND}={backend}",
                found=name,
                expected=", ".join([*sorted(secret_settings), *(f"{prefix}..." for prefix in _OF_SOURCES)]),
                remedy="correct the name in the secret, or remove it there",
            )
    return found


@lru_cache(maxsize=8)
def _of_aws(secret_id: str, aws: object) -> Mapping[str, str]:
    """Return the names and values of one secret; `aws` differs by account."""
    del aws
    text = _secret_text(secret_id)
    try:
        found = json.loads(text)
    except ValueError:  # its message and its document have the secret
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise SettingError(
            "the secret in AWS Secrets Manager has another form",
            where=f"{BACKEND}=aws:{secret_id}",
            expected=_FORM,
            remedy="store it in this form",
        )
    return {name.upper(): value for name, value in found.items()}


def _secret_text(secret_id: str) -> str:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    region = _ARN.match(secret_id)
    config = Config(connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS, retries={"mode": "standard"})
    try:
        session = boto3.Session()
        client = session.client("secretsmanager", region_name=region["region"] if region else None, config=config)
        with _bodies_unlogged():
            return str(client.get_secret_value(SecretId=secret_id).get("SecretString", ""))
    except (BotoCoreError, ClientError) as error:
        raise SettingError(
            "the deployment's secrets cannot be read from AWS Secrets Manager",
            where=f"{BACKEND}=aws:{secret_id}",
            found=str(error),
            expected="a secret that this process may read (secretsmanager:GetSecretValue)",
            remedy="correct the name, AWS_DEFAULT_REGION, the credentials of boto3's chain, or its rights",
        ) from error


@contextmanager
def _bodies_unlogged() -> Iterator[None]:
    """Keep botocore from writing the answer, which is the secret, where its log is at DEBUG."""
    parsers = logging.getLogger("botocore.parsers")
    before = parsers.level
    parsers.setLevel(logging.INFO)
    try:
        yield
    finally:
        parsers.setLevel(before)
