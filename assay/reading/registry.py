"""The formats that can be read: each module of `assay.reading.formats` declares its own.

To add a format, add a module there with `FORMATS`, and the format's name to `assay.specs.dataset.DataFormat`.
"""

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assay.errors import Remedy, UnsupportedFormatError
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


def chosen_format(name: str, path: Path | None = None, wanted: DataFormat = DataFormat.AUTO) -> Format:
    """Return the format of a file: the one that is set, else the one that its name or the files of the folder say.

    Args:
        name: file name or URI; endings of compressions are skipped.
        path: the unpacked file, or a folder.
        wanted: as the spec sets it.

    Raises:
        UnsupportedFormatError: `auto`, and the ending is unknown; or packed in a way that is not unpacked.
    """
    _refuse_unknown_packing(name, path)
    if wanted is not DataFormat.AUTO:
        return next(entry for entry in known_formats() if entry.name == wanted)
    found = _by_ending(name) or (_of_folder(path) if path is not None and path.is_dir() else None)
    if found is not None:
        return found
    endings = [ending for entry in known_formats() for ending in entry.endings]
    raise UnsupportedFormatError(
        "the name does not say the format",
        expected=f"a name ending in {', '.join(endings)}, or one of these with {', '.join(COMPRESSED)}",
        remedy=Remedy("set {}", "dataset.format"),
    )


def _refuse_unknown_packing(name: str, path: Path | None) -> None:
    """Refuse an archive or compression that is not unpacked: no `dataset.format` would help."""
    plain = without_compression(name.lower().rstrip("/"))
    ending = next((ending for ending in UNSUPPORTED if plain.endswith(ending)), None)
    if ending is not None and not (path is not None and path.is_dir()):
        raise UnsupportedFormatError(
            f"files that are packed as {ending} are not unpacked",
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
    found = (_by_ending(part.name) for part in folder.rglob("*") if part.is_file())
    return next((entry for entry in found if entry is not None and entry.folders), None)
