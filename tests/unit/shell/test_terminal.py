import io

import pytest
from terminals import Terminal

from assay.shell.summary import Fact, MetricRow, Summary
from assay.shell.terminal import plain_lines, show

SUMMARY = Summary(
    "bank",
    (Fact("gate", "passed 10 rows", "good"), Fact("decision", "Promoted [bold]by\nnobody\x1b[31m")),
    (MetricRow("roc_auc", 0.8, (0.7, 0.9), 0.5),),
    addresses=(Fact("run", "http://localhost:3000/runs/" + "1" * 200),),
)


pytestmark = pytest.mark.usefixtures("coloured")


def shown(out):
    show([SUMMARY], out)
    return out.getvalue()


def test_a_log_gets_plain_lines():
    assert shown(io.StringIO()) == "\n".join(("", *plain_lines(SUMMARY), ""))
    assert "  roc_auc  0.8      0.7 to 0.9     0.5\n" in shown(io.StringIO())


def test_no_colour_makes_a_terminal_plain(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert shown(Terminal()) == shown(io.StringIO())


def test_a_terminal_gets_colours_and_whole_addresses():
    text = shown(Terminal())
    assert "\x1b[32mpassed 10 rows" in text
    assert "1" * 200 in text


def test_texts_of_others_mark_nothing():
    text = shown(Terminal())
    assert "[bold]by nobody [31m" in text
    assert "\x1b[31m" not in text
    assert "Promoted [bold]by nobody [31m" in shown(io.StringIO())
