"""Addresses of all schemes: how they are shown in messages, and their globs."""

import fnmatch
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from assay.errors import Remedy, SourceError

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
        shown = next((number for number, part in enumerate(parts) if part.startswith(".")), len(parts))
        return any(_parts_match(parts[skipped:], patterns[1:]) for skipped in range(shown + 1))
    return bool(parts) and _part_matches(parts[0], patterns[0]) and _parts_match(parts[1:], patterns[1:])


def _part_matches(part: str, pattern: str) -> bool:
    hidden = part.startswith(".") and not pattern.startswith(".")
    return not hidden and fnmatch.fnmatchcase(part, pattern)


_NO_DATA = (
    "*.tmp", "*.temp", "~*.tmp", "*.part", "*.partial", "*.filepart", "*.crdownload", "*.download", "*.opdownload",
    "*.incomplete", "*.inprogress", "*.in-progress", "*.uploading", "*.writing", "*.swp", "*.swo", "*.swx", "*.lock",
    "*.lck", "*.bak", "*.orig", "*~", "~$*", "#*#", "*.crc", "*.md5", "*.sha1", "*.sha256", "*.sha512", "*.sig",
    "*.asc", "*.done", "*.ok", "_success", "_started*", "_committed*", "_metadata", "_common_metadata", "readme",
    "readme.md", "readme.txt", "readme.rst", "readme.html", "license", "license.md", "license.txt", "thumbs.db",
    "desktop.ini",
)  # fmt: skip
"""Names of files that hold no rows: temporary and partial ones, locks, backups, checksums, markers, texts for people.

Lower case. A pattern that has such an ending itself, such as `*.part`, names these files on purpose.
"""
_NO_DATA_FOLDERS = frozenset({"_temporary", "__macosx", "@eadir", "lost+found", "$recycle.bin"})


def is_part(path: str, pattern: str = "") -> bool:
    """Whether a listed file holds rows: it is not hidden and in no hidden folder, and has none of `_NO_DATA`'s names.

    Args:
        path: the file, relative to the folder of the address.
        pattern: the last part of the address's glob; names that it asks for itself hold rows.
    """
    *folders, name = path.lower().split("/")
    # a glob leaves hidden folders out by itself
    hidden = any((not pattern and part.startswith(".")) or part in _NO_DATA_FOLDERS for part in folders)
    if hidden or (name.startswith(".") and not pattern.startswith(".")):
        return False
    asked = pattern.lower()
    return not any(fnmatch.fnmatchcase(name, each) and not fnmatch.fnmatchcase(asked, each) for each in _NO_DATA)


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
            remedy=Remedy("correct {}", "dataset.source"),
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
