"""The progress of a search for people: a bar on a terminal, lines in a log."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from assay.learning.tuning.trial_lines import TrialLines, TrialsSoFar
from assay.markdown import one_line
from assay.results.search_result import TrialRecord
from assay.shell.bar import console_of, draw, erase

if TYPE_CHECKING:
    from rich.console import Console


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
            erase(out)
            lines(trial)
        else:
            so_far.note(trial)
        _draw(so_far, console)

    _draw(so_far, console)
    try:
        yield move
    finally:
        erase(out)


def _draw(so_far: TrialsSoFar, console: "Console") -> None:
    best, left = so_far.best_text(), so_far.left_text()
    said = [
        f"{so_far.ended}/{so_far.most} trials",
        *([f"best {one_line(best)}"] if best else []),
        *([f"{so_far.failed} without a value"] if so_far.failed else []),
        *([left] if left else []),
    ]
    draw(console, so_far.ended / so_far.most, ", ".join(said))
