"""Names of local files that match a pattern, found without looking at the files.

A folder of 100,000 files is listed in a twentieth of a second this way; asking for each file's state takes many times
that. Does not belong here: versions (`local`).
"""

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence

from resources.sources.address import is_glob

_ONE_DATASET = (".parquet", ".pq")
"""A folder of such a name is one object, as its writers mean it."""
_ANY_DEPTH = "**"


def is_dataset_name(name: str) -> bool:
    """Whether a folder of that name is one object."""
    return name.endswith(_ONE_DATASET)


def names_matching(pattern: str) -> list[str]:
    """Return the files that match, and the folders that are one object, in order; names that begin with `.` do not.

    Args:
        pattern: a path; `*` stays inside one folder, `**` spans any number of them.

    Raises:
        OSError: a folder cannot be read; one that is not there is empty.
    """
    root = "/" if pattern.startswith("/") else ""
    return sorted(set(_walk(root, [part for part in pattern.split("/") if part])))


def names_below(folder: str) -> list[str]:
    """Return every file below a folder, as a pattern would find them.

    Raises:
        OSError: a folder cannot be read.
    """
    prefix = "" if folder == "." else f"{folder.rstrip('/')}/"
    return sorted(_walk(prefix, [_ANY_DEPTH, "*"]))


def _walk(prefix: str, patterns: Sequence[str]) -> Iterator[str]:
    first, *rest = patterns
    if first == _ANY_DEPTH:
        yield from _any_depth(prefix, rest or ["*"])
    elif is_glob(first):
        for entry in _entries(prefix, first):
            if rest and entry.is_dir():
                yield from _walk(f"{prefix}{entry.name}/", rest)
            elif not rest and _is_object(entry):
                yield prefix + entry.name
    elif rest:
        yield from _walk(f"{prefix}{first}/", rest)
    elif os.path.isfile(prefix + first) or (is_dataset_name(first) and os.path.isdir(prefix + first)):  # noqa: PTH112, PTH113 - a Path for each name takes longer than the rest
        yield prefix + first


def _any_depth(prefix: str, rest: Sequence[str]) -> Iterator[str]:
    yield from _walk(prefix, rest)
    for entry in _entries(prefix, "*"):
        # what is listed as one object is not listed again by its files; a link may lead in a circle
        is_whole = len(rest) == 1 and is_dataset_name(entry.name) and fnmatch.fnmatchcase(entry.name, rest[0])
        if entry.is_dir(follow_symlinks=False) and not is_whole:
            yield from _any_depth(f"{prefix}{entry.name}/", rest)


def _entries(prefix: str, pattern: str) -> Iterator["os.DirEntry[str]"]:
    matches = re.compile(fnmatch.translate(pattern)).match
    hidden = pattern.startswith(".")
    try:
        with os.scandir(prefix or ".") as entries:
            yield from (entry for entry in entries if matches(entry.name) and (hidden or entry.name[0] != "."))
    except (FileNotFoundError, NotADirectoryError):
        return  # a folder may come with its first file


def _is_object(entry: "os.DirEntry[str]") -> bool:
    return entry.is_file() or (is_dataset_name(entry.name) and entry.is_dir())
