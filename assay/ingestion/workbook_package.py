"""An xlsx file as the zip archive that it is: refused where opening it would be harmful, then opened.

Does not belong here: the cells of a sheet (`workbook_cells`).
"""

import datetime as dt
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from assay.errors import MalformedDataError
from assay.ingestion.archives import encrypted, require_nothing_appended
from assay.ingestion.damage import damaged
from assay.ingestion.defects import Defect, malformed
from assay.ingestion.workbook_texts import shared_texts

MAX_UNPACKED_BYTES = 1 << 30
MAX_RATIO = 500
_LEAST_LIMIT = 16 << 20
_STEP = 1 << 20
_ENCRYPTED_FLAG = 0x1
_OLD_CONTAINER = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
_WORDS = ("<!DOCTYPE", "<!ENTITY")
_DECLARATIONS = tuple(word.encode(encoding) for word in _WORDS for encoding in ("ascii", "utf-16-le", "utf-16-be"))
_LONGEST = max(map(len, _DECLARATIONS))
_SHEET = "/worksheet"
_WHAT = "the file is not readable as an xlsx workbook"
_REMEDY = "open it and save it as xlsx again"


@dataclass(frozen=True, slots=True)
class Workbook:
    """What cells refer to.

    Attributes:
        sheets: every sheet's name, and the archive's member that holds it.
        texts: the shared strings.
        epoch: the day that dates are counted from.
        dates: the styles that make a number a date.
        durations: the ones of those that make it a duration.
    """

    sheets: Mapping[str, str]
    texts: Sequence[str]
    epoch: dt.datetime
    dates: frozenset[int]
    durations: frozenset[int]


@contextmanager
def workbook_errors(name: str) -> Iterator[None]:
    """Turn what openpyxl and the parsers under it raise into the refusal of the file.

    Raises:
        MalformedDataError: in place of their errors; disk and memory are no fault of the file.
    """
    try:
        yield
    except (
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        OSError,
        ParseError,
        RuntimeError,
        TypeError,
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise damaged(error, _WHAT, name, format_name="xlsx", remedy=_REMEDY) from error


def opened_workbook(path: Path, name: str) -> Workbook:
    """Return what a workbook holds beside its sheets; macros and links to other files are left alone.

    Args:
        path: the file.
        name: how it is called in messages.

    Raises:
        MalformedDataError: no xlsx, encrypted, damaged, with XML entities, or unpacking to over 1 GiB or 500 times its
            size (and 16 MiB).
    """
    from openpyxl.reader.excel import ExcelReader  # type: ignore[import-untyped]  # it publishes no types
    from openpyxl.styles.stylesheet import apply_stylesheet  # type: ignore[import-untyped]  # as above

    _require_new_container(path, name)
    require_nothing_appended(path, name)
    with workbook_errors(name), path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and extensions, which are not read
        _require_harmless(path, name)
        reader = ExcelReader(file, read_only=True, data_only=True, keep_links=False)
        # not all of `read`, which goes through every sheet that does not tell its size
        reader.read_manifest()
        reader.read_workbook()
        apply_stylesheet(reader.archive, reader.wb)
        book = reader.wb
        return Workbook(
            sheets=_sheets(reader, name),
            texts=_texts(reader),
            epoch=book.epoch,
            dates=frozenset(book._date_formats),  # noqa: SLF001 - openpyxl tells dates from numbers by nothing else
            durations=frozenset(book._timedelta_formats),  # noqa: SLF001 - as above
        )


def _texts(reader: Any) -> list[str]:
    from openpyxl.xml.constants import SHARED_STRINGS  # type: ignore[import-untyped]  # it publishes no types

    part = reader.package.find(SHARED_STRINGS)
    if part is None:
        return []
    with reader.archive.open(part.PartName[1:]) as source:
        return shared_texts(source)


def _sheets(reader: Any, name: str) -> dict[str, str]:
    listed = [(sheet.name, to.target) for sheet, to in reader.parser.find_sheets() if to.Type.endswith(_SHEET)]
    sheets = dict(listed)
    if len(sheets) != len(listed):
        raise _damaged(name, "two sheets of one name")
    missing = next((sheet for sheet, part in listed if part not in reader.valid_files), None)
    if missing is not None:
        raise _damaged(name, f"sheet '{missing}' without a part of its own")
    return sheets


def _require_new_container(path: Path, name: str) -> None:
    with path.open("rb") as file:
        if file.read(len(_OLD_CONTAINER)) != _OLD_CONTAINER:
            return
        tail = b""
        while block := file.read(_STEP):
            if _ENCRYPTED_STREAM in tail + block:
                raise encrypted(name, "an encrypted workbook")
            tail = block[-len(_ENCRYPTED_STREAM) :]
    raise malformed(
        Defect.UNREADABLE,
        _WHAT,
        name,
        byte=0,
        found="a workbook of the format before 2007 (xls)",
        expected="an xlsx file",
        remedy="open it and save it as xlsx",
    )


def _require_harmless(path: Path, name: str) -> None:
    """Unpack every member once, keeping nothing, before anything that would keep it all."""
    limit = min(MAX_UNPACKED_BYTES, max(_LEAST_LIMIT, path.stat().st_size * MAX_RATIO))
    size = 0
    with zipfile.ZipFile(path) as archive:
        _require_single_members(archive, name)
        for member in archive.infolist():
            if member.flag_bits & _ENCRYPTED_FLAG:
                raise encrypted(name, member.filename)
            with archive.open(member) as packed:
                tail = b""
                while block := packed.read(_STEP):
                    size += len(block)
                    if size > limit:
                        raise _too_large(name, limit)
                    _require_no_declarations(tail + block, member.filename, name)
                    tail = block[-_LONGEST:]


def _require_single_members(archive: zipfile.ZipFile, name: str) -> None:
    members = archive.namelist()
    if len(set(members)) != len(members):
        twice = next(member for member in members if members.count(member) > 1)
        raise _damaged(name, f"{twice} twice in the archive")


def _require_no_declarations(data: bytes, member: str, name: str) -> None:
    for declaration in _DECLARATIONS:
        if declaration in data:
            raise _damaged(name, f"a document type declaration, which may unfold without end, in {member}")


def _damaged(name: str, found: str) -> MalformedDataError:
    return malformed(
        Defect.UNREADABLE,
        _WHAT,
        name,
        found=found,
        expected="an xlsx file as a spreadsheet program writes it",
        remedy=_REMEDY,
    )


def _too_large(name: str, limit: int) -> MalformedDataError:
    return malformed(
        Defect.TOO_LARGE,
        "the workbook unpacks to more than is allowed",
        name,
        found=f"over {limit:,} bytes",
        expected=f"at most {MAX_RATIO} times its packed size and {MAX_UNPACKED_BYTES:,} bytes",
        remedy="store the data as Parquet or CSV",
    )
