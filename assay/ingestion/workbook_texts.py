"""Texts of a workbook, as a spreadsheet program shows them.

openpyxl leaves the escapes of characters as they are, and takes `x005F_` out of every text.
Does not belong here: the cells that hold them (`workbook_cells`).
"""

import re
from typing import IO
from xml.etree.ElementTree import Element, iterparse

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_ITEM, _TEXT, _RUN = f"{MAIN}si", f"{MAIN}t", f"{MAIN}r"
_ESCAPES = re.compile(r"(?:_x[0-9A-Fa-f]{4}_)+")


def unescaped(text: str) -> str:
    """Return a text with its escapes `_xHHHH_`, UTF-16 units that XML cannot hold (ECMA-376, ST_Xstring), replaced.

    A carriage return is `_x000D_`, an underscore that begins no escape `_x005F_`. Halves of surrogate pairs stay.
    """
    return _ESCAPES.sub(_characters, text) if "_x" in text else text


def _characters(escapes: re.Match[str]) -> str:
    try:
        return bytes.fromhex(re.sub("_x?", "", escapes[0])).decode("utf-16-be")
    except UnicodeDecodeError:
        return escapes[0]


def text_in(holder: Element) -> str:
    """Return the text of a shared or inline string, all runs together; hints of pronunciation are left out."""
    runs = [child if child.tag == _TEXT else child.find(_TEXT) for child in holder if child.tag in {_TEXT, _RUN}]
    return "".join(unescaped(run.text or "") for run in runs if run is not None)


def shared_texts(source: IO[bytes]) -> list[str]:
    """Read the table of shared strings.

    Args:
        source: the archive's member, known to hold no entities.
    """
    texts = []
    for _, element in iterparse(source):  # noqa: S314 - as the argument says
        if element.tag == _ITEM:
            texts.append(text_in(element))
            element.clear()
    return texts
