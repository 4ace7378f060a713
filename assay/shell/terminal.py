"""Tables for people: by rich on a terminal, as plain lines in a log or where `NO_COLOR` is set."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from assay.markdown import one_line
from assay.shell.bar import console_of
from assay.shell.summary import Summary, Tone, metric_cells

if TYPE_CHECKING:
    from rich.console import Console

_COLOURS: dict[Tone, str] = {"": "", "good": "green", "doubtful": "yellow", "bad": "red"}


def show(summaries: Sequence[Summary], file: TextIO | None = None) -> None:
    """Print summaries to a file, standard error unless given."""
    out = file or sys.stderr
    console = console_of(out)
    for each in summaries:
        if console is None:
            out.write("\n".join(("", *plain_lines(each), "")))
        else:
            _draw(each, console)
    out.flush()


def plain_lines(summary: Summary) -> Iterator[str]:
    """Yield a summary as lines without colours or boxes, one fact each."""
    yield one_line(summary.title)
    width = max((len(each.name) for each in (*summary.facts, *summary.addresses)), default=0)
    yield from (f"  {each.name:<{width}}  {one_line(each.text)}" for each in summary.facts)
    yield from _plain_metrics(summary)
    yield from (f"  {each.name:<{width}}  {one_line(each.text)}" for each in summary.addresses)


def _plain_metrics(summary: Summary) -> Iterator[str]:
    rows = _metric_cells(summary)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    if rows and summary.rows_note:
        yield f"  ({summary.rows_note})"


def _metric_cells(summary: Summary) -> list[tuple[str, ...]]:
    return [tuple(map(one_line, row)) for row in metric_cells(summary)]


def _draw(summary: Summary, console: "Console") -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for each in summary.facts:
        table.add_row(Text(each.name, style="bold"), Text(one_line(each.text), style=_COLOURS[each.tone]))
    console.print()
    console.print(Text(one_line(summary.title), style="bold reverse"))
    console.print(table)
    cells = _metric_cells(summary)
    if cells:
        metrics = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, caption=summary.rows_note or None)
        for name in cells[0]:
            metrics.add_column(name, overflow="fold")
        for row in cells[1:]:
            metrics.add_row(*map(Text, row))
        console.print(metrics)
    for each in summary.addresses:
        # no wrapping: a broken address cannot be clicked
        console.print(Text.assemble((f"{each.name}: ", "bold"), one_line(each.text)), soft_wrap=True)
