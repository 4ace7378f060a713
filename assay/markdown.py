"""Text from data in Markdown and HTML: one escaping for every place that renders either.

Column names, values, file names and errors may hold tags, images, links and the marks of a table. Character references
are text for HTML and for Markdown alike: by CommonMark 6.2 they never stand for a mark of structure.
"""

import re
from collections.abc import Iterable

# `_` inside a word marks nothing, and names are full of them
_MARKS = re.compile(r"""[&<>"'`*\[\]\\|!~$]|(?<![^\W_])_|_(?![^\W_])|\A[#+\-=:]|(?<=\A\d)[.)]""")
# GFM makes links of bare addresses, also of escaped ones; an invisible word joiner (U+2060) ends the address
_ADDRESS = re.compile(r"(?i)(?<=:)(?=//)|(?<=www)(?=\.)|(?<=mailto)(?=:)|(?<=xmpp)(?=:)|(?<=@)(?=\w)")
_JOINER = "\u2060"
_ESCAPED = """&<>"'`*[]\\|!~$_#+-=:.)"""
_REFERENCE = re.compile(rf"&#({'|'.join(str(ord(mark)) for mark in _ESCAPED)});")
_PLAIN = re.compile(r"[\w.,:;/+=() -]*")


def escaped(text: object) -> str:
    """Return text that shows as itself on one line of Markdown, in a cell of its tables, and in HTML.

    Args:
        text: anything; white space is collapsed, and control characters are left out.
    """
    line = " ".join(str(text).split())
    line = _ADDRESS.sub(_JOINER, "".join(mark for mark in line if mark.isprintable()))
    return _MARKS.sub(lambda found: f"&#{ord(found[0])};", line)


def code(text: object) -> str:
    """Return text as inline code where it holds letters, digits and harmless marks only; else as `escaped`."""
    written = str(text)
    plain = written == written.strip() != "" and _PLAIN.fullmatch(written)
    return f"`{written}`" if plain else escaped(text)


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of cells that are Markdown already, by `escaped` or `code`."""
    head = list(header)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plain(markdown: str) -> str:
    """Return on one line what a text of `escaped` shows, for a terminal or a message; other references stay."""
    return one_line(_REFERENCE.sub(lambda found: chr(int(found[1])), markdown).replace(_JOINER, ""))


def one_line(text: str) -> str:
    """Return a text on one line without control characters: what people and programs wrote forges no lines."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
