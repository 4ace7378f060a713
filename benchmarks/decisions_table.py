"""A section of `decisions.py` and the table that it prints."""

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Table(NamedTuple):
    """Rows of texts under a heading."""

    heading: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """Return the table as markdown."""
        lines = [self.heading, ["---"] * len(self.heading), *self.rows]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


class Section(NamedTuple):
    """A kind of decision.

    Attributes:
        name: on the command line.
        title: above the table.
        run: takes the scale of the repetitions and returns the table.
    """

    name: str
    title: str
    run: Callable[[float], Table]


def share(count: int, total: int) -> str:
    """Return a share in percent, with the numbers behind it."""
    return f"{count / total:.1%} ({count}/{total})"
