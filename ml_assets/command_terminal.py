"""The terminal of a person's command, for as long as Dagster sends what a step writes to a file.

Dagster puts a file in place of standard output and error of each step, and copies its lines to the terminal, so that
a step that asks for a terminal finds none. The terminal is opened once more before the first step.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from assay.shell.read_bar import reads_on

_kept: list[TextIO] = []


@contextmanager
def terminal_kept() -> Iterator[None]:
    """Keep the terminal of standard error within reach of this process's steps, and show reads; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield
        return
    with os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8") as terminal:
        _kept.append(terminal)
        try:
            with reads_on(terminal):
                yield
        finally:
            _kept.remove(terminal)


def terminal_of_command() -> TextIO | None:
    """Return the terminal that is kept; None in a process of a step alone, and where a command writes to a log."""
    return _kept[-1] if _kept else None
