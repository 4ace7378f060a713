"""Consoles for terminals, and the one line that is drawn again and again: a bar and a text."""

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH = 20
_ERASE_LINE = "\r\x1b[2K"


def console_of(out: TextIO) -> "Console | None":
    """Return a console for a terminal that may have colours; None for plain lines."""
    if not out.isatty():
        return None
    from rich.console import Console

    console = Console(file=out)
    return None if console.no_color or console.is_dumb_terminal else console


def draw(console: "Console", share: float | None, text: str) -> None:
    """Draw the bar and leave the cursor at its begin, so that a line of another process replaces it.

    Args:
        console: of a terminal.
        share: of the work that is done; None draws the text alone.
        text: beside the bar; cut at the terminal's width.
    """
    from rich.text import Text

    done = round(_WIDTH * (share or 0.0))
    line = Text()
    if share is not None:
        line.append("━" * done, "green").append("━" * (_WIDTH - done), "bright_black").append(" ")
    line.append(text)
    line.truncate(console.width - 1, overflow="ellipsis")
    console.file.write(_ERASE_LINE)
    console.print(line, end="\r", soft_wrap=True, highlight=False)
    console.file.flush()


def erase(out: TextIO) -> None:
    """Remove the bar."""
    out.write(_ERASE_LINE)
    out.flush()
