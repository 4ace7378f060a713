"""Text of the data in Markdown and HTML; the grammar is checked with the renderer of the tests' environment."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.markdown import code, escaped, plain, table

JOINER = "\u2060"
# marks that begin a tag, an image, a link, a code span, emphasis, a cell, or an address
MARKS = "<>[]()!`*_|\\&#:/@.\"'~$ \n\tabhtpw1"
HOSTILE = [
    "<script>alert(1)</script>",
    "![x](https://evil.example/p.png)",
    "[click](javascript:alert(1))",
    "<https://evil.example>",
    "https://evil.example/a",
    "www.evil.example",
    "mail me@evil.example",
    "a | b\n| --- | --- |",
    "`code` **bold** __bold__ ~~gone~~",
    "&lt;script&gt;",
    "# heading",
    "1. item",
    "- item",
    "\\<b>",
    "``` x",
    "\u202etxt",
]


@given(st.one_of(st.text(), st.text(alphabet=MARKS), st.sampled_from(HOSTILE)))
def test_escaped_text_marks_nothing_and_shows_as_itself(text):
    written = escaped(text)

    assert not re.search(r"""[<>"'`*\\\[\]|!~$\n\r]""", written)
    assert re.fullmatch(r"(?:[^&]|&#\d+;)*", written)
    assert not re.search(r"(?i)://|www\.|@\w|mailto:", written)
    shown = html.unescape(written).replace(JOINER, "")
    expected = "".join(mark for mark in " ".join(text.split()) if mark.isprintable()).replace(JOINER, "")
    assert shown == expected
    assert plain(written) == " ".join(expected.split())


@given(st.one_of(st.text(), st.text(alphabet=MARKS), st.sampled_from(HOSTILE)))
def test_code_is_a_code_span_of_harmless_marks_or_escaped(text):
    written = code(text)

    assert written == escaped(text) or re.fullmatch(r"`[^`<>\[\]|\\&!*]+`", written)


@given(st.lists(st.lists(st.text(alphabet=MARKS), min_size=2, max_size=2), max_size=3))
def test_cells_never_end_early(rows):
    lines = table(("a", "b"), [[escaped(cell) for cell in row] for row in rows]).split("\n")

    assert len(lines) == len(rows) + 2
    assert all(line.count("|") == 3 for line in lines)


@pytest.mark.parametrize(("text", "written"), [("arr_time", "arr_time"), ("a<b", "a&#60;b"), ("_x_", "&#95;x&#95;")])
def test_names_stay_readable(text, written):
    assert escaped(text) == written
