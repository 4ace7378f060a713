"""Addresses to sources, with `${NAME}` and `{partition}` filled in.

What a deployment lends to sources: clients, connections, bounds.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assay.errors import SourceError, SourceNotFoundError, did_you_mean
from resources.sources.address import refuse_credentials, without_secrets
from resources.sources.demo import DemoSource
from resources.sources.duckdb_file import DuckdbSource
from resources.sources.interface import Source
from resources.sources.local import LocalSource
from resources.sources.query import Query
from resources.sources.s3 import S3Source
from resources.sources.sql import SqlSource
from resources.sources.web import WebIndexSource, WebSource, is_web_listing
from resources.sources.web_policy import ANY_PUBLIC_HOST, WebPolicy

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


@dataclass(frozen=True, slots=True)
class Access:
    """What a source may use to reach its data.

    Attributes:
        s3_client: makes the client, called for `s3://` alone.
        web: which hosts may be asked.
        connections: URLs of SQL databases by name; they hold passwords.
        query_seconds: how long one query may take.
    """

    s3_client: "Callable[[], S3Client]"
    web: WebPolicy = ANY_PUBLIC_HOST
    connections: Mapping[str, str] = field(default_factory=dict, repr=False)
    query_seconds: float = 600.0


_FILES = ("file", "s3", "https", "http", "demo")
_QUERIED = ("sql", "sqlite", "duckdb")
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
_SECRET = re.compile(r"SECRET|PASSW|PASSPHRASE|TOKEN|CREDENTIAL|PRIVATE|ACCESS_?KEY|API_?KEY", re.IGNORECASE)


def open_source(address: str, access: Access, query: Query | None = None) -> Source:
    """Return the source behind an address.

    Args:
        address: a path, folder or glob, `s3://`, `https://`, `demo://`, `sql://`, `sqlite:///` or `duckdb:///`,
            without variables.
        access: what the deployment lends.
        query: what a database is asked.

    Raises:
        SourceError: the scheme is unknown, the address holds credentials, or a query is missing or too much.
    """
    scheme, separator, _ = address.partition("://")
    if not separator:
        scheme = "file"
    else:
        refuse_credentials(address)
    if scheme not in _FILES + _QUERIED:
        raise _no_reader(scheme, address)
    if query is not None and scheme in _QUERIED:
        return _queried(scheme, address, access, query)
    if query is not None or scheme in _QUERIED:
        raise _query_misplaced(scheme, address)
    return _of_files(scheme, address, access)


def _of_files(scheme: str, address: str, access: Access) -> Source:
    if scheme == "s3":
        return S3Source(address, access.s3_client())
    if scheme in {"http", "https"}:
        return WebIndexSource(address, access.web) if is_web_listing(address) else WebSource(address, access.web)
    if scheme == "demo":
        return DemoSource(address)
    return LocalSource(address.removeprefix("file://"))


def _queried(scheme: str, address: str, access: Access, query: Query) -> Source:
    if scheme == "duckdb":
        return DuckdbSource(address, query, access.query_seconds)
    return SqlSource(address, query, access.connections, access.query_seconds)


def _no_reader(scheme: str, address: str) -> SourceError:
    named = "; name the connection: sql://name" if scheme.startswith(("postgres", "mysql", "bigquery")) else ""
    return SourceError(
        f"no reader for '{scheme}://'{did_you_mean(scheme, _FILES + _QUERIED)}",
        where=without_secrets(address),
        expected="a path, s3://, https://, sql://, sqlite:///, duckdb:/// or demo://",
        remedy=f"mend dataset.source{named}",
    )


def _query_misplaced(scheme: str, address: str) -> SourceError:
    needed = scheme in _QUERIED
    return SourceError(
        "a database needs a query" if needed else "a query is for databases",
        where=without_secrets(address),
        found=f"{'no' if needed else 'a'} dataset.query with {scheme}://",
        remedy="add dataset.query" if needed else "take dataset.query away, or mend dataset.source",
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
