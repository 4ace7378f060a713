"""Compressed files and archives, unpacked to a bounded size whatever sizes they declare."""

import bz2
import gzip
import lzma
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import IO, Any, TypeAlias

import pyarrow as pa

from assay.errors import MalformedDataError, Remedy, UnsupportedFormatError, did_you_mean
from assay.reading.defects import Defect, defect_error, encrypted, parser_error

MAX_UNPACKED_BYTES = 8 * 1024**3
MAX_RATIO = 200
_LEAST_LIMIT = 16 << 20
_STEP = 1 << 20

Copy: TypeAlias = Callable[[bytes], None]
"""Takes one more block of unpacked bytes; raises when there are too many."""


def unpacked(path: Path, name: str, folder: Path, member: str | None = None) -> tuple[Path, str]:
    """Unpack a compressed file (`COMPRESSED`) into a folder; any other file, and a folder, is returned unchanged.

    Args:
        path: the file.
        name: its name, whose ending says the compression.
        folder: where the unpacked file is put.
        member: the file inside a zip archive, by its whole name or the last part of it.

    Returns:
        The unpacked file, and the name whose ending says its format.

    Raises:
        MalformedDataError: damaged, encrypted, several files in an archive and none named, no file of the name, or
            larger than 8 GiB or 200 times its packed size (and 16 MiB).
        UnsupportedFormatError: what is inside is compressed again.
    """
    kind = Path(name.lower()).suffix
    if kind not in COMPRESSED or not path.is_file():
        return path, name
    target = folder / "unpacked"
    try:
        with target.open("wb") as plain:
            copy = _bounded_copy(plain, path.stat().st_size)
            inner = _unzip(path, member, copy) if kind == ".zip" else _unpack_stream(path, name, kind, copy)
    except _PARSER_ERRORS as error:
        what = "the file cannot be unpacked"
        raise parser_error(error, what, format_name=Path(name).suffix, remedy="fetch it again") from error
    if inner.lower().endswith(COMPRESSED):
        what, expected = "what is inside the file is compressed again", "data that is compressed once"
        raise UnsupportedFormatError(what, found=inner, expected=expected, remedy="unpack it before")
    return target, inner


def without_compression(name: str) -> str:
    """Return a name in lower case without the endings of compressions."""
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    return name


def require_nothing_appended(path: Path) -> None:
    """Refuse bytes after an archive's end, which unpackers would treat differently.

    Raises:
        MalformedDataError: there are some.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _END_RECORD_BYTES - _LONGEST_COMMENT))
        tail = file.read()
    start = tail.rfind(_END_MARK)
    comment = int.from_bytes(tail[start + 20 : start + 22], "little")
    appended = len(tail) - start - _END_RECORD_BYTES - comment
    if start >= 0 and appended > 0:
        raise defect_error(
            Defect.UNREADABLE,
            "the file cannot be unpacked",
            byte=size - appended,
            found=f"{appended:,} bytes after the end of the archive",
            expected="an archive and nothing else",
            remedy="fetch it again",
        )


def _bounded_copy(plain: IO[bytes], packed: int) -> Copy:
    limit = min(MAX_UNPACKED_BYTES, max(_LEAST_LIMIT, packed * MAX_RATIO))

    def copy(block: bytes) -> None:
        if plain.tell() + len(block) > limit:
            raise defect_error(
                Defect.TOO_LARGE,
                "the file unpacks to more than is allowed",
                found=f"over {limit:,} bytes",
                expected=f"at most {MAX_RATIO} times its packed size and {MAX_UNPACKED_BYTES:,} bytes",
                remedy="use smaller partitions, or store the data as Parquet",
            )
        plain.write(block)

    return copy


def _unpack_stream(path: Path, name: str, kind: str, copy: Copy) -> str:
    for block in _STREAMS[kind](path):
        copy(block)
    return name[: -len(kind)]


def _read(opened: Callable[[Path], AbstractContextManager[Any]], path: Path) -> Iterator[bytes]:
    with opened(path) as file:
        while block := file.read(_STEP):
            yield block


def _every_stream(path: Path, opened: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]) -> Iterator[bytes]:
    """Unpack streams that follow each other; the files of `bz2` and `lzma` skip all that is damaged after the first.

    Raises:
        EOFError: the last stream is cut off.
        OSError, LZMAError: a stream is damaged, or something else than zeros follows the last one.
    """
    with path.open("rb") as file:
        rest = file.read(_STEP)
        while rest:
            stream = opened()
            while not stream.eof:
                rest = rest or (file.read(_STEP) if stream.needs_input else b"")
                if stream.needs_input and not rest:
                    message = "the file ends before its last stream does"
                    raise EOFError(message)
                yield stream.decompress(rest, _STEP)
                rest = b""
            rest = stream.unused_data.lstrip(b"\0")
            while not rest and (block := file.read(_STEP)):
                rest = block.lstrip(b"\0")


_END_RECORD_BYTES = 22
_LONGEST_COMMENT = 1 << 16
_END_MARK = b"PK\x05\x06"
_ENCRYPTED_FLAG = 0x1
_MODE_BITS = 16
"""The file's mode on Unix begins at this bit of a member's attributes."""
_LISTED = 20
_REMEDY = Remedy("set {} to one of them", "dataset.member")


def _unzip(path: Path, member: str | None, copy: Copy) -> str:
    """Unpack the one file of an archive that holds the data, without trust in the sizes that are declared."""
    require_nothing_appended(path)
    with zipfile.ZipFile(path) as archive:
        chosen = _chosen(archive, member)
        if chosen.flag_bits & _ENCRYPTED_FLAG:
            raise encrypted(chosen.filename)
        if stat.S_ISLNK(chosen.external_attr >> _MODE_BITS):
            raise _link(chosen.filename)
        declared, chosen.file_size = chosen.file_size, 1 << 62  # else bytes beyond the declared size are cut off
        size = 0
        with archive.open(chosen) as packed:
            while block := packed.read(_STEP):
                size += len(block)
                copy(block)
        if size != declared:
            message = f"'{chosen.filename}' holds {size:,} bytes where {declared:,} are declared"
            raise zipfile.BadZipFile(message)
    return chosen.filename


def _link(found: str) -> MalformedDataError:
    return defect_error(
        Defect.UNREADABLE,
        "the file inside the archive is a link",
        found=found,
        expected="a file that holds the rows itself",
        remedy="pack the file that the link points to",
    )


def _chosen(archive: zipfile.ZipFile, member: str | None) -> zipfile.ZipInfo:
    files = [each for each in archive.infolist() if not each.is_dir() and not each.filename.startswith("__MACOSX/")]
    if member is None:
        if len(files) == 1:
            return files[0]
        raise _ambiguous("the archive does not hold exactly one file", _listed(files), _REMEDY if files else "")
    fitting = [each for each in files if each.filename == member]
    fitting = fitting or [each for each in files if PurePosixPath(each.filename).name == member]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        what = f"the archive holds '{member}' more than once"
        raise _ambiguous(what, _listed(fitting), "name it with its folder, and write every file once")
    nearest = did_you_mean(member, [each.filename for each in files])
    raise _ambiguous(f"the archive does not hold '{member}'{nearest}", _listed(files), _REMEDY)


def _listed(files: list[zipfile.ZipInfo]) -> str:
    names = ", ".join(each.filename for each in files[:_LISTED])
    return f"{names} and {len(files) - _LISTED:,} more" if len(files) > _LISTED else names or "nothing"


def _ambiguous(what: str, found: str, remedy: str) -> MalformedDataError:
    expected = "one file, or the name of one"
    return defect_error(Defect.ARCHIVE_AMBIGUOUS, what, found=found, expected=expected, remedy=remedy)


# `zipfile` raises several of these for names that are empty or not text, and for methods that it does not know
_PARSER_ERRORS = (
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    ValueError,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)
_STREAMS: Mapping[str, Callable[[Path], Iterator[bytes]]] = MappingProxyType(
    {
        ".gz": partial(_read, gzip.open),
        ".bz2": lambda path: _every_stream(path, bz2.BZ2Decompressor),
        ".xz": lambda path: _every_stream(path, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ)),
        ".zst": partial(_read, lambda path: pa.CompressedInputStream(str(path), "zstd")),
    }
)
COMPRESSED = (*_STREAMS, ".zip")
UNSUPPORTED = (".tar", ".tgz", ".tbz2", ".txz", ".7z", ".rar", ".lz4", ".br", ".z", ".lzma", ".sz", ".snappy", ".lzo")
"""Endings of archives and compressions that are not unpacked."""
