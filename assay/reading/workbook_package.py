"""An xlsx file as a zip archive: refused where opening it would be harmful, then opened.

Texts are decoded here, since openpyxl keeps the escapes of characters, and removes `x005F_` from every text.
"""

import datetime as dt
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from xml.etree.ElementTree import Element, ParseError, iterparse

from assay.errors import MalformedDataError
from assay.reading.compression import require_nothing_appended
from assay.reading.defects import Defect, defect_error, encrypted, parser_error

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_ITEM, _TEXT, _RUN = f"{MAIN}si", f"{MAIN}t", f"{MAIN}r"
_ESCAPES = re.compile(r"(?:_x[0-9A-Fa-f]{4}_)+")


def unescaped(text: str) -> str:
    """Return a text with its escapes `_xHHHH_` replaced: UTF-16 units that XML cannot hold (ECMA-376, ST_Xstring).

    A carriage return is `_x000D_`, an underscore outside of escapes `_x005F_`. Lone surrogates stay.
    """
    return _ESCAPES.sub(_characters, text) if "_x" in text else text


def _characters(escapes: re.Match[str]) -> str:
    try:
        return bytes.fromhex(re.sub("_x?", "", escapes[0])).decode("utf-16-be")
    except UnicodeDecodeError:
        return escapes[0]


def text_in(holder: Element) -> str:
    """Return the text of a shared or inline string: all its runs, without phonetic hints."""
    runs = [child if child.tag == _TEXT else child.find(_TEXT) for child in holder if child.tag in {_TEXT, _RUN}]
    return "".join(unescaped(run.text or "") for run in runs if run is not None)


def shared_texts(source: IO[bytes]) -> list[str]:
    """Read the table of shared strings from an archive's member, which must hold no entities."""
    texts = []
    for _, element in iterparse(source):  # noqa: S314 - as the summary says
        if element.tag == _ITEM:
            texts.append(text_in(element))
            element.clear()
    return texts


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
    """What the cells of a workbook refer to.

    Attributes:
        sheets: every sheet's name, and the archive's member that holds it.
        texts: the shared strings.
        epoch: day 0 of its dates.
        dates: the styles of dates.
        durations: those styles of `dates` that are durations.
    """

    sheets: Mapping[str, str]
    texts: Sequence[str]
    epoch: dt.datetime
    dates: frozenset[int]
    durations: frozenset[int]


@contextmanager
def workbook_errors() -> Iterator[None]:
    """Turn what openpyxl and its parsers raise into the error for the file.

    Raises:
        MalformedDataError: in place of their errors; errors of disk and memory pass through.
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
        raise parser_error(error, _WHAT, format_name="xlsx", remedy=_REMEDY) from error


def opened_workbook(path: Path) -> Workbook:
    """Return what a workbook holds beside its sheets; macros and links to other files are not read.

    Raises:
        MalformedDataError: not xlsx, encrypted, damaged, with XML entities, or unpacking to over 1 GiB or 500 times
            its size (and 16 MiB).
    """
    from openpyxl.reader.excel import ExcelReader  # type: ignore[import-untyped]  # it publishes no types
    from openpyxl.styles.stylesheet import apply_stylesheet  # type: ignore[import-untyped]  # as above

    _require_new_container(path)
    require_nothing_appended(path)
    with workbook_errors(), path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and extensions, which are not read
        _require_harmless(path)
        reader = ExcelReader(file, read_only=True, data_only=True, keep_links=False)
        # `read` would iterate over every sheet that does not declare its size
        reader.read_manifest()
        reader.read_workbook()
        apply_stylesheet(reader.archive, reader.wb)
        book = reader.wb
        return Workbook(
            sheets=_sheets(reader),
            texts=_texts(reader),
            epoch=book.epoch,
            dates=frozenset(book._date_formats),  # noqa: SLF001 - openpyxl has no public name for it
            durations=frozenset(book._timedelta_formats),  # noqa: SLF001 - as above
        )


def _texts(reader: Any) -> list[str]:
    from openpyxl.xml.constants import SHARED_STRINGS  # type: ignore[import-untyped]  # it publishes no types

    part = reader.package.find(SHARED_STRINGS)
    if part is None:
        return []
    with reader.archive.open(part.PartName[1:]) as source:
        return shared_texts(source)


def _sheets(reader: Any) -> dict[str, str]:
    listed = [(sheet.name, to.target) for sheet, to in reader.parser.find_sheets() if to.Type.endswith(_SHEET)]
    sheets = dict(listed)
    if len(sheets) != len(listed):
        raise _unreadable("two sheets of one name")
    missing = next((sheet for sheet, part in listed if part not in reader.valid_files), None)
    if missing is not None:
        raise _unreadable(f"sheet '{missing}' without a part of its own")
    return sheets


def _require_new_container(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(len(_OLD_CONTAINER)) != _OLD_CONTAINER:
            return
        tail = b""
        while block := file.read(_STEP):
            if _ENCRYPTED_STREAM in tail + block:
                raise encrypted("an encrypted workbook")
            tail = block[-len(_ENCRYPTED_STREAM) :]
    raise defect_error(
        Defect.UNREADABLE,
        _WHAT,
        byte=0,
        found="a workbook of the format before 2007 (xls)",
        expected="an xlsx file",
        remedy="open it and save it as xlsx",
    )


def _require_harmless(path: Path) -> None:
    """Unpack every member once, in blocks, before anything unpacks it into memory."""
    limit = min(MAX_UNPACKED_BYTES, max(_LEAST_LIMIT, path.stat().st_size * MAX_RATIO))
    size = 0
    with zipfile.ZipFile(path) as archive:
        _require_single_members(archive)
        for member in archive.infolist():
            if member.flag_bits & _ENCRYPTED_FLAG:
                raise encrypted(member.filename)
            with archive.open(member) as packed:
                tail = b""
                while block := packed.read(_STEP):
                    size += len(block)
                    if size > limit:
                        raise defect_error(
                            Defect.TOO_LARGE,
                            "the workbook unpacks to more than is allowed",
                            found=f"over {limit:,} bytes",
                            expected=f"at most {MAX_RATIO} times its packed size and {MAX_UNPACKED_BYTES:,} bytes",
                            remedy="store the data as Parquet or CSV",
                        )
                    if any(declaration in tail + block for declaration in _DECLARATIONS):
                        found = "a document type declaration, whose entities may expand without end, in "
                        raise _unreadable(found + member.filename)
                    tail = block[-_LONGEST:]


def _require_single_members(archive: zipfile.ZipFile) -> None:
    members = archive.namelist()
    if len(set(members)) != len(members):
        twice = next(member for member in members if members.count(member) > 1)
        raise _unreadable(f"{twice} twice in the archive")


def _unreadable(found: str) -> MalformedDataError:
    expected = "an xlsx file as a spreadsheet program writes it"
    return defect_error(Defect.UNREADABLE, _WHAT, found=found, expected=expected, remedy=_REMEDY)
