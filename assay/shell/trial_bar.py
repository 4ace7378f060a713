"""The progress of a search for people: a bar on a terminal, lines in a log."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from assay.learning.tuning.trial_lines import TrialLines, TrialsSoFar
from assay.markdown import one_line
from assay.results.search_result import TrialRecord
from assay.shell.terminal import console_of

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH = 20
_ERASE_LINE = "\r\x1b[2K"


@contextmanager
def trial_progress(
    so_far: TrialsSoFar, log: Callable[[str], None], file: TextIO | None = None, *, always_log: bool = False
) -> Iterator[Callable[[TrialRecord], None]]:
    """Give a callback for each trial that ends: it moves a bar on a terminal, and logs lines elsewhere.

    Args:
        so_far: of the search; of no trials where nothing is searched, which shows no bar.
        log: takes one line.
        file: where the bar is drawn, standard error unless given.
        always_log: log lines beside a bar, too.
    """
    out = file or sys.stderr
    console, lines = console_of(out), TrialLines(log, so_far)
    if console is None or not so_far.most:
        yield lines
        return

    def move(trial: TrialRecord) -> None:
        if always_log:
            out.write(_ERASE_LINE)
            out.flush()
            lines(trial)
        else:
            so_far.note(trial)
        _draw(so_far, console)

    _draw(so_far, console)
    try:
        yield move
    finally:
        out.write(_ERASE_LINE)
        out.flush()


def _draw(so_far: TrialsSoFar, console: "Console") -> None:
    """Draw the bar and leave the cursor at its begin, so that a line of another process replaces it."""
    from rich.text import Text

    done = round(_WIDTH * so_far.ended / so_far.most)
    best, left = so_far.best_text(), so_far.left_text()
    said = [
        f" {so_far.ended}/{so_far.most} trials",
        *([f"best {one_line(best)}"] if best else []),
        *([f"{so_far.failed} without a value"] if so_far.failed else []),
        *([left] if left else []),
    ]
    line = Text.assemble(("━" * done, "green"), ("━" * (_WIDTH - done), "bright_black"), ", ".join(said))
    line.truncate(console.width - 1, overflow="ellipsis")
    console.file.write(_ERASE_LINE)
    console.print(line, end="\r", soft_wrap=True, highlight=False)
    console.file.flush()
