"""A notice is short, of single lines, and without secrets, whatever it was made of."""

from hypothesis import given
from hypothesis import strategies as st

from assay.notices.notice import Kind, Notice


def notice(title="t", lines=(), **changes):
    fields = {"event": "e", "pipeline": "p", "partition": "", "link": "http://ui/runs/1"}
    return Notice(Kind.DRIFT, **{**fields, "title": title, "lines": tuple(lines), **changes})


@given(st.text(max_size=800), st.lists(st.text(max_size=800), max_size=40))
def test_every_text_is_one_short_printable_line(title, lines):
    made = notice(title, lines)
    assert len(made.lines) <= 13
    for text in (made.title, *made.lines):
        assert len(text) <= 300
        assert text == text.strip()
        assert text.isprintable()


def test_a_mail_header_cannot_be_forged():
    assert notice("bank\r\nBcc: eve@example.org").title == "bank Bcc: eve@example.org"


def test_credentials_in_addresses_are_left_out():
    made = notice(lines=["where: postgresql://ann:swordfish@db/bank"], link="https://ann:swordfish@ui/runs/1")
    assert made.lines == ("where: postgresql://db/bank",)
    assert made.link == "https://ui/runs/1"


def test_lines_that_are_too_many_are_counted():
    assert notice(lines=[f"rule {n}" for n in range(20)]).lines[-1] == "and 8 more"
