"""A notification is short, of single lines, and without secrets, whatever it was made of."""

from hypothesis import given
from hypothesis import strategies as st

from assay.notifications.notification import Notification, NotificationKind


def notification(title="t", lines=(), **changes):
    fields = {"event": "e", "pipeline": "p", "partition": "", "link": "http://ui/runs/1"}
    return Notification(NotificationKind.DRIFT, **{**fields, "title": title, "lines": tuple(lines), **changes})


@given(st.text(max_size=800), st.lists(st.text(max_size=800), max_size=40))
def test_every_text_is_one_short_printable_line(title, lines):
    made = notification(title, lines)
    assert len(made.lines) <= 13
    for text in (made.title, *made.lines):
        assert len(text) <= 300
        assert text == text.strip()
        assert text.isprintable()


def test_a_mail_header_cannot_be_forged():
    assert notification("bank\r\nBcc: eve@example.org").title == "bank Bcc: eve@example.org"


def test_credentials_in_addresses_are_left_out():
    made = notification(lines=["where: postgresql://ann:swordfish@db/bank"], link="https://ann:swordfish@ui/runs/1")
    assert made.lines == ("where: postgresql://db/bank",)
    assert made.link == "https://ui/runs/1"


def test_lines_that_are_too_many_are_counted():
    assert notification(lines=[f"rule {n}" for n in range(20)]).lines[-1] == "and 8 more"
