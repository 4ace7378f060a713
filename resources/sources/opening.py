"""Opening the source of an address, with `${NAME}` and `{partition}` filled in."""

import re
from collections.abc import Mapping

from assay.credentials import mask
from assay.errors import Remedy, SourceError, SourceNotFoundError, did_you_mean
from assay.specs.references import ASSET, FEATURES
from resources.sources import demo, duckdb_file, local, s3, sql, web
from resources.sources.address import refuse_credentials, without_secrets
from resources.sources.interface import Access, Source, SourceKind
from resources.sources.query import Query

SOURCES: tuple[SourceKind, ...] = (local.KIND, s3.KIND, web.KIND, sql.KIND, duckdb_file.KIND, demo.KIND)
"""Every source; a new one is added here."""

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
_SECRET = re.compile(
    r"SECRET|PASSW|PASSPHRASE|TOKEN|CREDENTIAL|PRIVATE|ACCESS_?KEY|API_?KEY|WEBHOOK|SIGNATURE|SIGNING|ENCRYPTION|BEARER|HMAC|CONNECTION_?STRING"
    r"|(^|_)(PW|PASS|KEY|AUTH|SAS|DSN|COOKIE|SESSION|PAT|SALT|SK|CREDS?|JWT)($|_)|.(^|_)PWD($|_)|^(AWS|MLFLOW|DAGSTER)_",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"://[^/?#\s]*@")
"""In a value: `DATABASE_URL` and its like hold a password, whatever their names say."""
_SETTINGS, _FOR_SOURCES = "ASSAY_", "ASSAY_SOURCE_"
"""Variables of the deployment's own settings, and those that the deployment gives to sources."""


def open_source(address: str, access: Access, query: Query | None = None) -> Source:
    """Return the source of an address.

    Raises:
        SourceError: the scheme is unknown, the address holds credentials, or a query is missing or not allowed.
    """
    scheme, separator, _ = address.partition("://")
    if not separator:
        scheme = "file"
    else:
        refuse_credentials(address)
    kinds = {name: kind for kind in SOURCES for name in kind.schemes}
    if scheme not in kinds:
        raise _unknown_scheme(scheme, address, list(kinds))
    kind = kinds[scheme]
    if query is None and kind.open is not None:
        return kind.open(address, access)
    if query is not None and kind.query is not None:
        return kind.query(address, access, query)
    raise _query_misplaced(scheme, address, needed=query is None)


def _unknown_scheme(scheme: str, address: str, known: list[str]) -> SourceError:
    hint = "; name the connection: sql://name" if scheme.startswith(("postgres", "mysql", "bigquery")) else ""
    return SourceError(
        f"no source for '{scheme}://'{did_you_mean(scheme, [*known, FEATURES, ASSET])}",
        where=without_secrets(address),
        expected=", ".join((*(kind.form for kind in SOURCES), f"{FEATURES}://pipeline", f"{ASSET}://key")),
        remedy=Remedy(f"correct {{}}{hint}", "dataset.source"),
    )


def _query_misplaced(scheme: str, address: str, *, needed: bool) -> SourceError:
    return SourceError(
        "a database needs a query" if needed else "a query is for databases",
        where=without_secrets(address),
        found=f"{'no' if needed else 'a'} dataset.query with {scheme}://",
        remedy="add dataset.query" if needed else "remove dataset.query, or correct dataset.source",
    )


def variables_of(template: str) -> tuple[str, ...]:
    """Return the names of a source's variables, in order."""
    return tuple(match["name"] for match in _VARIABLE.finditer(template))


def expand_source(template: str, environment: Mapping[str, str], partition_key: str | None) -> str:
    """Fill in a source's variables and partition.

    Raises:
        SourceNotFoundError: a variable without default is not set.
        SourceError: a variable is one of the deployment's settings, or its name suggests a secret.
    """

    def value_of(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        own, held = name.upper(), environment.get(name) or ""
        if not own.startswith(_FOR_SOURCES) and (
            own.startswith(_SETTINGS) or _SECRET.search(name) or _USER_INFO.search(held)
        ):
            raise SourceError(
                "a source may not hold a secret, or a setting of the deployment",
                where=without_secrets(template),
                found="${" + name + "}",
                remedy="leave credentials to the deployment's credential chain; a variable that is meant for sources "
                f"is named {_FOR_SOURCES}...",
            )
        value = held or default
        if value is None:
            raise SourceNotFoundError(
                f"the variable {name} of the source is not set",
                where=without_secrets(template),
                remedy=f"set it in the environment or in .env, e.g. {name}=/data/rows.csv",
            )
        if held:
            mask(value, match[0])
        return value

    expanded = _VARIABLE.sub(value_of, template)
    return expanded.replace("{partition}", partition_key) if partition_key is not None else expanded
