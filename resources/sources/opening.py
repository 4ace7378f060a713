"""Addresses to sources, with `${NAME}` and `{partition}` filled in.

Does not belong here: any scheme's own work.
"""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from assay.errors import SourceError, SourceNotFoundError
from resources.sources.address import refuse_credentials, without_secrets
from resources.sources.demo import DemoSource
from resources.sources.interface import Source
from resources.sources.local import LocalSource
from resources.sources.s3 import S3Source
from resources.sources.web import WebSource

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
_SECRET = re.compile(r"SECRET|PASSW|PASSPHRASE|TOKEN|CREDENTIAL|PRIVATE|ACCESS_?KEY|API_?KEY", re.IGNORECASE)


def open_source(address: str, s3_client: "Callable[[], S3Client]") -> Source:
    """Return the source behind an address.

    Args:
        address: a path or glob, `s3://`, `https://` or `demo://`, without variables.
        s3_client: makes the client, called for `s3://` alone.

    Raises:
        SourceError: the scheme is unknown, or the address holds credentials.
    """
    scheme, separator, _ = address.partition("://")
    if not separator:
        return LocalSource(address)
    refuse_credentials(address)
    if scheme == "s3":
        return S3Source(address, s3_client())
    if scheme in {"http", "https"}:
        return WebSource(address)
    if scheme == "file":
        return LocalSource(address.removeprefix("file://"))
    if scheme == "demo":
        return DemoSource(address)
    raise SourceError(
        f"no reader for '{scheme}://'",
        where=without_secrets(address),
        expected="a path, s3://, https:// or demo://",
        remedy="mend dataset.source",
    )


def variables_of(template: str) -> tuple[str, ...]:
    """Return the names of a source's variables, in order."""
    return tuple(match["name"] for match in _VARIABLE.finditer(template))


def expand_source(template: str, environment: Mapping[str, str], partition_key: str | None) -> str:
    """Fill in a source's variables and partition.

    Args:
        template: the source as the pipeline says it.
        environment: values of variables.
        partition_key: replaces `{partition}`.

    Raises:
        SourceNotFoundError: a variable without default is not set.
        SourceError: a variable's name says that it holds a secret.
    """

    def value_of(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if _SECRET.search(name):
            raise SourceError(
                "a source may not hold a secret",
                where=without_secrets(template),
                found="${" + name + "}",
                remedy="leave credentials to the deployment's credential chain",
            )
        value = environment.get(name) or default
        if value is None:
            raise SourceNotFoundError(
                f"the variable {name} of the source is not set",
                where=without_secrets(template),
                remedy=f"set it in the environment or in .env, e.g. {name}=/data/rows.csv",
            )
        return value

    expanded = _VARIABLE.sub(value_of, template)
    return expanded.replace("{partition}", partition_key) if partition_key is not None else expanded
