"""Compressed files unpacked to a bounded size.

Does not belong here: what the unpacked bytes mean.
"""

import gzip
import zipfile
import zlib
from pathlib import Path
from typing import IO

from assay.errors import MalformedDataError

MAX_UNPACKED_BYTES = 8 * 1024**3
MAX_RATIO = 200
_STEP = 1 << 20


def decompressed(path: Path, name: str, folder: Path) -> Path:
    """Unpack a `.gz` file or the single member of a `.zip` file.

    Args:
        path: the compressed file.
        name: how it is called in messages; its ending tells the compression.
        folder: where the unpacked file is put.

    Raises:
        MalformedDataError: damaged, several members, or larger than 8 GiB or 200 times its packed size.
    """
    limit = min(MAX_UNPACKED_BYTES, max(_STEP * 16, path.stat().st_size * MAX_RATIO))
    target = folder / "unpacked"
    try:
        if name.lower().endswith(".zip"):
            with zipfile.ZipFile(path) as archive, archive.open(_only_member(archive, name)) as packed:
                _copy(packed, target, limit, name)
        else:
            with gzip.open(path) as packed:
                _copy(packed, target, limit, name)
    except (OSError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:  # RuntimeError: encrypted
        raise MalformedDataError("the file cannot be unpacked", where=name, found=str(error)) from error
    return target


def _only_member(archive: zipfile.ZipFile, name: str) -> str:
    members = [item.filename for item in archive.infolist() if not item.is_dir()]
    if len(members) != 1:
        raise MalformedDataError(
            "the archive does not hold exactly one file",
            where=name,
            found=", ".join(members) or "nothing",
            remedy="unpack it and name the file",
        )
    return members[0]


def _copy(packed: IO[bytes] | gzip.GzipFile, target: Path, limit: int, name: str) -> None:
    with target.open("wb") as plain:
        while block := packed.read(_STEP):
            plain.write(block)
            if plain.tell() > limit:
                raise MalformedDataError(
                    "the file unpacks to more than is allowed",
                    where=name,
                    found=f"over {limit:,} bytes",
                    expected=f"at most {MAX_RATIO} times its packed size and {MAX_UNPACKED_BYTES:,} bytes",
                )
