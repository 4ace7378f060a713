"""No notification is delivered twice, retries end, and channels do not wait for each other."""

import json

from hypothesis import given
from hypothesis import strategies as st

from assay.notifications.notification import Notification, NotificationKind
from assay.notifications.outbox import MAX_ATTEMPTS, MAX_WAITING, Outbox, outbox_from


def notification(event):
    return Notification(NotificationKind.DRIFT, event, "p", "", "t", (), "")


def events(deliveries):
    return [(item.notification.event, item.channel) for item in deliveries]


def test_each_event_waits_once_for_each_channel():
    outbox = (
        Outbox()
        .with_notifications([notification("a"), notification("a")], ["log", "mail"])
        .with_notifications([notification("a")], ["log"])
    )
    assert events(outbox.waiting) == [("a", "log"), ("a", "mail")]


def test_what_arrived_is_gone_from_its_channel_alone():
    outbox = Outbox().with_notifications([notification("a")], ["log", "mail"])
    assert events(outbox.without(outbox.due("log", 0)).waiting) == [("a", "mail")]


def test_after_a_failure_all_deliveries_of_a_channel_wait():
    outbox, given_up = (
        Outbox()
        .with_notifications([notification("a"), notification("b")], ["log", "mail"])
        .after_failure("mail", 100.0)
    )
    assert not given_up
    assert outbox.due("mail", 129.0) == ()
    assert events(outbox.due("mail", 130.0)) == [("a", "mail"), ("b", "mail")]
    assert len(outbox.due("log", 100.0)) == 2


def test_a_new_notification_waits_behind_the_older_ones_of_its_channel():
    outbox, _ = Outbox().with_notifications([notification("a")], ["mail"]).after_failure("mail", 100.0)
    assert outbox.with_notifications([notification("b")], ["mail"]).due("mail", 101.0) == ()


def test_waits_grow_and_end():
    outbox, now, waits = Outbox().with_notifications([notification("a")], ["mail"]), 0.0, []
    while outbox.waiting:
        due = max(item.due for item in outbox.waiting)
        waits.append(due - now)
        now = due
        outbox, given_up = outbox.after_failure("mail", now)
    assert waits == [0.0, *(30.0 * 2**n for n in range(MAX_ATTEMPTS - 1))]
    assert events(given_up) == [("a", "mail")]


def test_the_oldest_give_way_when_too_many_wait():
    outbox, given_up = (
        Outbox().with_notifications([notification(str(n)) for n in range(MAX_WAITING + 2)], ["mail"]).bounded()
    )
    assert events(given_up) == [("0", "mail"), ("1", "mail")]
    assert len(outbox.waiting) == MAX_WAITING


@given(st.lists(st.text(max_size=9), max_size=5), st.floats(min_value=0, max_value=2e9))
def test_a_stored_outbox_comes_back_whole(names, now):
    outbox, _ = (
        Outbox().with_notifications([notification(name) for name in names], ["log", "mail"]).after_failure("log", now)
    )
    assert outbox_from(json.loads(json.dumps(outbox.to_json()))) == outbox
