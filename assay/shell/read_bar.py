"""The progress of long reads for people on a terminal; logs have lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from assay.markdown import one_line
from assay.reading.progress import ReadSoFar, reads_shown_by
from assay.shell.bar import console_of, draw, erase

_SHORT_SECONDS = 1.0


@contextmanager
def reads_on(out: TextIO) -> Iterator[None]:
    """Draw a bar for each read of a second and more, where a stream is a terminal; nothing elsewhere."""
    console = console_of(out)
    if console is None:
        yield
        return
    drawn = False

    def show(so_far: ReadSoFar | None) -> None:
        nonlocal drawn
        if so_far is None:
            if drawn:
                erase(out)
            drawn = False
        elif so_far.seconds >= _SHORT_SECONDS:
            drawn = True
            draw(console, so_far.share, one_line(so_far.short_text))

    with reads_shown_by(show):
        yield
