"""The one file inside a zip archive that holds the data."""

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from assay.errors import MalformedDataError, did_you_mean
from assay.reading.defects import Defect, malformed

_STEP = 1 << 20
_END_RECORD_BYTES = 22
_LONGEST_COMMENT = 1 << 16
_END_MARK = b"PK\x05\x06"
_ENCRYPTED_FLAG = 0x1
_MODE_BITS = 16
"""Of a member's attributes, below the file's mode on Unix."""
_LISTED = 20
_REMEDY = "set dataset.member to one of them"


def copy_member(path: Path, name: str, member: str | None, copy: Callable[[bytes], None]) -> str:
    """Unpack one file of an archive, without trust in the sizes that are declared.

    Args:
        path: the archive.
        name: how it is called in messages.
        member: the wanted file's whole name, or the last part of it; not needed where there is only one.
        copy: takes the unpacked blocks.

    Returns:
        The file's name inside the archive.

    Raises:
        MalformedDataError: encrypted, a link, no such file, several and none named, or bytes around the archive.
        zipfile.BadZipFile: damaged.
    """
    require_nothing_appended(path, name)
    with zipfile.ZipFile(path) as archive:
        chosen = _chosen(archive, name, member)
        if chosen.flag_bits & _ENCRYPTED_FLAG:
            raise encrypted(name, chosen.filename)
        if stat.S_ISLNK(chosen.external_attr >> _MODE_BITS):
            raise _link(name, chosen.filename)
        declared, chosen.file_size = chosen.file_size, 1 << 62  # else what is beyond the declared size is cut off
        size = 0
        with archive.open(chosen) as packed:
            while block := packed.read(_STEP):
                size += len(block)
                copy(block)
        if size != declared:
            message = f"'{chosen.filename}' holds {size:,} bytes where {declared:,} are declared"
            raise zipfile.BadZipFile(message)
    return chosen.filename


def encrypted(name: str, found: str) -> MalformedDataError:
    """Return the refusal of bytes that need a password."""
    return malformed(
        Defect.ENCRYPTED,
        "the file is encrypted",
        name,
        found=found,
        expected="a file without a password",
        remedy="take the password off before the file is put where Assay reads it",
    )


def _link(name: str, found: str) -> MalformedDataError:
    """Return the refusal of a member whose content is the address of another file, not rows."""
    return malformed(
        Defect.UNREADABLE,
        "the file inside the archive is a link",
        name,
        found=found,
        expected="a file that holds the rows itself",
        remedy="pack the file that the link points to",
    )


def require_nothing_appended(path: Path, name: str) -> None:
    """Refuse what unpackers would disagree about: bytes after the archive's end.

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
        raise malformed(
            Defect.UNREADABLE,
            "the file cannot be unpacked",
            name,
            byte=size - appended,
            found=f"{appended:,} bytes after the end of the archive",
            expected="an archive and nothing else",
            remedy="fetch it again",
        )


def _chosen(archive: zipfile.ZipFile, name: str, member: str | None) -> zipfile.ZipInfo:
    files = [each for each in archive.infolist() if not each.is_dir() and not each.filename.startswith("__MACOSX/")]
    if member is None:
        if len(files) == 1:
            return files[0]
        raise _ambiguous("the archive does not hold exactly one file", name, _listed(files), _REMEDY if files else "")
    fitting = [each for each in files if each.filename == member]
    fitting = fitting or [each for each in files if PurePosixPath(each.filename).name == member]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        what = f"the archive holds '{member}' more than once"
        raise _ambiguous(what, name, _listed(fitting), "name it with its folder, and write every file once")
    nearest = did_you_mean(member, [each.filename for each in files])
    raise _ambiguous(f"the archive does not hold '{member}'{nearest}", name, _listed(files), _REMEDY)


def _listed(files: list[zipfile.ZipInfo]) -> str:
    names = ", ".join(each.filename for each in files[:_LISTED])
    return f"{names} and {len(files) - _LISTED:,} more" if len(files) > _LISTED else names or "nothing"


def _ambiguous(what: str, name: str, found: str, remedy: str) -> MalformedDataError:
    return malformed(
        Defect.ARCHIVE_AMBIGUOUS, what, name, found=found, expected="one file, or the name of one", remedy=remedy
    )
