"""Addresses of all schemes: how they are shown in messages, and their globs."""

import fnmatch
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from assay.errors import SourceError

_GLOB = re.compile(r"[*?\[]")


def is_glob(text: str) -> bool:
    """Whether a path or key has wildcards."""
    return _GLOB.search(text) is not None


def fixed_prefix(pattern: str) -> str:
    """Return the prefix that every match of a glob has."""
    return _GLOB.split(pattern, maxsplit=1)[0]


def matches_glob(key: str, pattern: str) -> bool:
    """Whether a key matches as a path would: `*` stays inside one folder, `**` spans any number of them."""
    return _parts_match(key.split("/"), pattern.split("/"))


def _parts_match(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return any(_parts_match(parts[skipped:], patterns[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], patterns[0]) and _parts_match(parts[1:], patterns[1:])


def is_part(path: str) -> bool:
    """Whether a file below a folder holds rows: not hidden, in no hidden folder, and not a writer's success marker.

    Args:
        path: the file, relative to the folder.
    """
    return (
        not path.endswith("/_SUCCESS")
        and path != "_SUCCESS"
        and not any(part.startswith(".") for part in path.split("/"))
    )


def without_secrets(address: str) -> str:
    """Return an address without user, password, query and fragment, fit for messages and records; paths as they are.

    Raises:
        SourceError: the address cannot be parsed.
    """
    if "://" not in address:
        return address
    try:
        parts = urlsplit(address)
    except ValueError as error:
        scheme = address.partition("://")[0]
        raise SourceError(
            "the address is malformed",
            where=f"{scheme}://...",
            expected=f"{scheme}://host/path",
            remedy="correct dataset.source",
        ) from error
    return f"{parts.scheme}://{parts.netloc.rsplit('@', 1)[-1]}{parts.path}"


def refuse_credentials(address: str) -> None:
    """Refuse an address that holds a user or password.

    Raises:
        SourceError: names the address without them.
    """
    where = without_secrets(address)
    if "@" in urlsplit(address).netloc:
        raise SourceError(
            "an address may not hold credentials",
            where=where,
            remedy="leave credentials to the deployment's credential chain",
        )
