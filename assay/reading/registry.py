"""The formats that can be read: each module of `assay.reading.formats` declares its own.

To add a format, add a module there with `FORMATS`, and the format's name to `assay.specs.dataset.DataFormat`.
"""

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assay.errors import UnsupportedFormatError
from assay.reading import formats
from assay.reading.batches import Reader
from assay.reading.compression import COMPRESSED, UNSUPPORTED, without_compression
from assay.specs.dataset import DataFormat


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        name: as `dataset.format` has it.
        endings: of file names, in lower case.
        reader: opens a local, unpacked file.
        delimiter: the separator of delimited text, whose dialect can be detected; empty for other formats.
        folders: whether a folder of such files is one table.
    """

    name: str
    endings: tuple[str, ...]
    reader: Reader
    delimiter: str = ""
    folders: bool = False


@cache
def known_formats() -> tuple[Format, ...]:
    """Return the formats of all modules of `assay.reading.formats`."""
    names = [f"{formats.__name__}.{module.name}" for module in pkgutil.iter_modules(formats.__path__)]
    return tuple(entry for name in names for entry in importlib.import_module(name).FORMATS)


def chosen_format(wanted: DataFormat, name: str, path: Path, *, where: str) -> Format:
    """Return the format of a file: the one that is set, else the one of its name.

    Args:
        wanted: as the spec sets it.
        name: file name or URI, without the ending of a compression.
        path: the unpacked file; a folder of Parquet files is Parquet whatever its name.
        where: how the source is called in messages.

    Raises:
        UnsupportedFormatError: `auto`, and the ending is unknown.
    """
    _refuse_unknown_packing(name, path, where)
    if wanted is DataFormat.AUTO:
        return detected_format(name, path, where=where)
    return next(entry for entry in known_formats() if entry.name == wanted)


def detected_format(name: str, path: Path | None = None, *, where: str = "") -> Format:
    """Return the format that a file's name says; endings of compressions are skipped.

    Args:
        name: file name or URI.
        path: the file or folder.
        where: how the source is called in messages; the name unless given.

    Raises:
        UnsupportedFormatError: the ending is unknown.
    """
    found = _by_ending(name) or (_of_folder(path) if path is not None and path.is_dir() else None)
    if found is not None:
        return found
    _refuse_unknown_packing(name, path, where or name)
    endings = [ending for entry in known_formats() for ending in entry.endings]
    raise UnsupportedFormatError(
        "the name does not say the format",
        where=where or name,
        expected=f"a name ending in {', '.join(endings)}, or one of these with {', '.join(COMPRESSED)}",
        remedy="set dataset.format (or the run parameter data_format)",
    )


def _refuse_unknown_packing(name: str, path: Path | None, where: str) -> None:
    """Refuse an archive or compression that is not unpacked: no `dataset.format` would help."""
    plain = without_compression(name.lower().rstrip("/"))
    ending = next((ending for ending in UNSUPPORTED if plain.endswith(ending)), None)
    if ending is not None and not (path is not None and path.is_dir()):
        raise UnsupportedFormatError(
            f"files that are packed as {ending} are not unpacked",
            where=where,
            found=name.rpartition("/")[2],
            expected=f"plain files, or files with {', '.join(COMPRESSED)}",
            remedy="unpack the file, and if it shall stay compressed, compress it by gzip or zstd",
        )


def is_known(name: str) -> bool:
    """Return whether a file's name says a format."""
    return _by_ending(name) is not None


def _by_ending(name: str) -> Format | None:
    plain = without_compression(name.lower().rstrip("/"))
    return next((entry for entry in known_formats() if plain.endswith(entry.endings)), None)


def _of_folder(folder: Path) -> Format | None:
    parts: Iterable[Format | None] = (_by_ending(part.name) for part in folder.rglob("*") if part.is_file())
    return next((entry for entry in parts if entry is not None and entry.folders), None)
