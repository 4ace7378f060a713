"""The tables of the reference pages."""

from collections.abc import Iterable
from typing import Any

from assay.markdown import one_line, table


def reference_table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table of Markdown; a cell is Markdown on one line, in which a bar is no mark of the table."""
    return table(header, (map(_cell, row) for row in rows)) + "\n"


def _cell(value: Any) -> str:
    return one_line(str(value)).replace("|", "\\|")
