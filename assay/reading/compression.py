"""Compressed files unpacked to a bounded size, whatever they say about their own.

File names to formats.
"""

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO

import pyarrow as pa

from assay.errors import UnsupportedFormatError
from assay.reading.archives import copy_member
from assay.reading.defects import Defect, damaged, malformed
from assay.specs.dataset import DataFormat

_BY_ENDING = {
    ".csv": DataFormat.CSV,
    ".tsv": DataFormat.TSV,
    ".tab": DataFormat.TSV,
    ".parquet": DataFormat.PARQUET,
    ".pq": DataFormat.PARQUET,
    ".json": DataFormat.JSON,
    ".jsonl": DataFormat.JSONL,
    ".ndjson": DataFormat.JSONL,
    ".xlsx": DataFormat.XLSX,
    ".xlsm": DataFormat.XLSX,
    ".xls": DataFormat.XLSX,  # its reader says what to do with the old format
    ".feather": DataFormat.FEATHER,
    ".arrow": DataFormat.FEATHER,
}
COMPRESSED = (".gz", ".zst", ".zip")


def detect_format(name: str, path: Path | None = None, *, where: str = "") -> DataFormat:
    """Return the format that a file's name tells; a compression's ending is looked through.

    Args:
        name: file name or URI.
        path: where the file lies; a folder that holds Parquet files is Parquet whatever its name.
        where: how the source is called in messages; the name unless given.

    Raises:
        UnsupportedFormatError: the ending is unknown.
    """
    known = _by_ending(name)
    if known is not None:
        return known
    if path is not None and path.is_dir() and any(_by_ending(part.name) is DataFormat.PARQUET for part in _files(path)):
        return DataFormat.PARQUET
    raise UnsupportedFormatError(
        "the format cannot be told from the name",
        where=where or name,
        expected=f"a name ending in {', '.join(_BY_ENDING)}, or one of these with {' or '.join(COMPRESSED)}",
        remedy="set dataset.format (or the run parameter data_format)",
    )


def is_known(name: str) -> bool:
    """Return whether a name tells a format."""
    return _by_ending(name) is not None


def _by_ending(name: str) -> DataFormat | None:
    plain = name.lower().rstrip("/")
    for ending in COMPRESSED:
        plain = plain.removesuffix(ending)
    return next((data_format for ending, data_format in _BY_ENDING.items() if plain.endswith(ending)), None)


def _files(folder: Path) -> list[Path]:
    return [part for part in folder.rglob("*") if part.is_file()]


MAX_UNPACKED_BYTES = 8 * 1024**3
MAX_RATIO = 200
_LEAST_LIMIT = 16 << 20
_STEP = 1 << 20

Copy = Callable[[bytes], None]
"""Takes one more block of unpacked bytes; raises when there are too many."""


def unpacked(path: Path, name: str, folder: Path, member: str | None = None) -> tuple[Path, str]:
    """Unpack a `.gz`, `.zst` or `.zip` file; any other file, and a folder, is returned as it is.

    Args:
        path: the file.
        name: how it is called in messages; its ending tells the compression.
        folder: where the unpacked file is put.
        member: the file inside a zip archive, by its whole name or the last part of it.

    Returns:
        The unpacked file, and the name that tells its format.

    Raises:
        MalformedDataError: damaged, encrypted, several files in an archive and none named, no file of the name, or
            larger than 8 GiB or 200 times its packed size (and 16 MiB).
        UnsupportedFormatError: what is inside is compressed again.
    """
    unpack = _UNPACKERS.get(Path(name.lower()).suffix)
    if unpack is None or not path.is_file():
        return path, name
    target = folder / "unpacked"
    with target.open("wb") as plain:
        inner = _unpacked_to(plain, path, name, unpack, member)
    if inner.lower().endswith(COMPRESSED):
        raise UnsupportedFormatError(
            "what is inside the file is compressed again",
            where=name,
            found=inner,
            expected="data that is compressed once",
            remedy="unpack it before",
        )
    return target, inner


Unpacker = Callable[[Path, str, str | None, Copy], str]


def _unpacked_to(plain: IO[bytes], path: Path, name: str, unpack: Unpacker, member: str | None) -> str:
    limit = min(MAX_UNPACKED_BYTES, max(_LEAST_LIMIT, path.stat().st_size * MAX_RATIO))

    def copy(block: bytes) -> None:
        if plain.tell() + len(block) > limit:
            raise malformed(
                Defect.TOO_LARGE,
                "the file unpacks to more than is allowed",
                name,
                found=f"over {limit:,} bytes",
                expected=f"at most {MAX_RATIO} times its packed size and {MAX_UNPACKED_BYTES:,} bytes",
                remedy="cut the data into partitions, or store it as Parquet",
            )
        plain.write(block)

    try:
        return unpack(path, name, member, copy)
    except _GIVEN_UP as error:
        what, kind = "the file cannot be unpacked", Path(name).suffix
        raise damaged(error, what, name, format_name=kind, remedy="fetch it again") from error


def _gunzip(path: Path, name: str, _: str | None, copy: Copy) -> str:
    with gzip.open(path) as packed:
        while block := packed.read(_STEP):
            copy(block)
    return name[: -len(".gz")]


def _unzstd(path: Path, name: str, _: str | None, copy: Copy) -> str:
    with pa.OSFile(str(path)) as file, pa.CompressedInputStream(file, "zstd") as packed:
        while block := packed.read(_STEP):
            copy(block)
    return name[: -len(".zst")]


def _unzip(path: Path, name: str, member: str | None, copy: Copy) -> str:
    inner = copy_member(path, name, member, copy)
    # an archive's own name tells the format where its member's does not
    return inner if is_known(inner) or inner.lower().endswith(COMPRESSED) else name[: -len(".zip")]


# `zipfile` stumbles over names that are empty or no text, and over methods that it does not know
_GIVEN_UP = (
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    ValueError,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)
_UNPACKERS: Mapping[str, Unpacker] = MappingProxyType({".gz": _gunzip, ".zst": _unzstd, ".zip": _unzip})
