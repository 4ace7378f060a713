"""The channels of a deployment: opened from settings, each delivering independently."""

import json
import logging
import threading

import pytest

from assay.errors import DeliveryError, DeliveryRefusedError, SettingError
from assay.notifications.notification import Notification, NotificationKind
from assay.notifications.outbox import MAX_ATTEMPTS, Outbox
from resources.notifications import notifier as under_test
from resources.notifications.channels import Channel
from resources.notifications.notifier import Notifier, notifier_of
from resources.settings import Settings

LOGGER = logging.getLogger("notifications of a test")
ALL = {
    "ASSAY_NOTIFY_WEBHOOK_URL": "https://hooks.example.org/swordfish",
    "ASSAY_NOTIFY_WEBHOOK_SECRET": "swordfish",
    "ASSAY_NOTIFY_SLACK_URL": "https://slack.example.org/swordfish",
    "ASSAY_NOTIFY_EMAIL_TO": "ann@example.org, bob@example.org",
    "ASSAY_NOTIFY_EMAIL_FROM": "assay@example.org",
    "ASSAY_NOTIFY_SMTP_URL": "smtp://ann:swordfish@mail.example.org",
    "ASSAY_NOTIFY_APPRISE_URLS": "discord://4174216298/swordfish",
}


class Recorded(Channel):
    """A channel that records notifications, and fails on demand."""

    def __init__(self, name, *failures):
        self.name, self.failures, self.notifications = name, list(failures), []

    def deliver(self, notification):
        if self.failures and (failure := self.failures.pop(0)):
            raise failure
        self.notifications.append(notification.event)


def notification(event):
    return Notification(NotificationKind.DRIFT, event, "p", "", "t", (), "")


def notifier(*channels):
    return Notifier(channels, frozenset(NotificationKind), "http://ui")


@pytest.fixture
def settings(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def build(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return Settings()

    return build


def test_without_settings_the_log_is_the_only_channel(settings):
    assert notifier_of(settings()).names == ("log",)


def test_each_setting_opens_its_channel(settings):
    assert notifier_of(settings(**ALL)).names == ("log", "webhook", "slack", "mail", "apprise-discord")


def test_settings_and_notifier_show_no_secret(settings):
    made = settings(**ALL)
    shown = f"{made} {made!r} {notifier_of(made)!r} {notifier_of(made)._remote} {made.model_dump_json()}"
    assert "swordfish" not in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ASSAY_NOTIFY_WEBHOOK_URL", "file:///swordfish"),
        ("ASSAY_NOTIFY_SLACK_URL", "slack.example.org/swordfish"),
        ("ASSAY_NOTIFY_SLACK_URL", "https://host:swordfish/"),
        ("ASSAY_NOTIFY_APPRISE_URLS", "discord://swordfish"),
        ("ASSAY_NOTIFY_APPRISE_URLS", "swordfish"),
        ("ASSAY_NOTIFY_SLACK_URL", "https://host/sword fish"),
        ("ASSAY_NOTIFY_SMTP_URL", ""),
        ("ASSAY_NOTIFY_SMTP_URL", "https://swordfish"),
        ("ASSAY_NOTIFY_EMAIL_FROM", ""),
        ("ASSAY_NOTIFY_EMAIL_TO", "ann"),
        ("ASSAY_NOTIFY_EMAIL_TO", ", "),
    ],
)
def test_a_malformed_setting_is_named_and_not_shown(settings, name, value):
    with pytest.raises(SettingError, match=name) as caught:
        notifier_of(settings(**{**ALL, name: value}))
    assert "swordfish" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_only_the_chosen_kinds_are_delivered(settings):
    assert notifier_of(settings(ASSAY_NOTIFY_ON="drift, Promotion")).kinds == {
        NotificationKind.DRIFT,
        NotificationKind.PROMOTION,
    }
    assert notifier_of(settings(ASSAY_NOTIFY_ON="")).kinds == set(NotificationKind) - {NotificationKind.TEST}
    with pytest.raises(SettingError, match="did you mean 'rollback'"):
        notifier_of(settings(ASSAY_NOTIFY_ON="rolback"))


def test_one_channel_that_is_down_keeps_no_other_waiting():
    down, up = Recorded("down", DeliveryError("no")), Recorded("up")
    outbox = Outbox().with_notifications([notification("a"), notification("b")], ["log", "down", "up"])
    left = notifier(down, up).outbox_after(outbox, 0.0, LOGGER)
    assert up.notifications == ["a", "b"]
    assert [(item.channel, item.attempts) for item in left.waiting] == [("down", 1), ("down", 1)]


def test_a_failed_delivery_is_retried_and_arrives_once():
    shaky = Recorded("shaky", None, DeliveryError("no"))
    outbox = Outbox().with_notifications([notification("a"), notification("b"), notification("c")], ["shaky"])
    left = notifier(shaky).outbox_after(outbox, 0.0, LOGGER)
    assert notifier(shaky).outbox_after(left, 1.0, LOGGER) == left
    assert not notifier(shaky).outbox_after(left, 30.0, LOGGER).waiting
    assert shaky.notifications == ["a", "b", "c"]


def test_deliveries_of_a_channel_that_stays_down_are_given_up_and_logged(caplog):
    down = Recorded("down", *[DeliveryError("no answer", remedy="plug it in")] * 99)
    outbox, now = Outbox().with_notifications([notification("a")], ["down"]), 0.0
    while outbox.waiting:
        now += 1e5
        outbox = notifier(down).outbox_after(outbox, now, LOGGER)
    assert 99 - len(down.failures) == MAX_ATTEMPTS
    messages = [record.getMessage() for record in caplog.records]
    assert "[notice_undelivered] no answer" in messages[0]
    assert "plug it in" in messages[0]
    assert messages[-1] == "gave up delivering a by down: t"


def test_a_refusal_is_given_up_at_once_and_the_next_notification_is_tried(caplog):
    picky = Recorded("picky", DeliveryRefusedError("never"))
    left = notifier(picky).outbox_after(
        Outbox().with_notifications([notification("a"), notification("b")], ["picky"]), 0.0, LOGGER
    )
    assert not left.waiting
    assert picky.notifications == ["b"]
    assert "gave up delivering a by picky" in caplog.text


def test_a_bug_of_a_channel_is_logged_without_its_text(caplog):
    left = notifier(Recorded("odd", ValueError("swordfish"))).outbox_after(
        Outbox().with_notifications([notification("a")], ["odd"]), 0.0, LOGGER
    )
    assert not left.waiting
    assert "ValueError" in caplog.text
    assert "swordfish" not in caplog.text


def test_a_slow_channel_is_left_at_the_deadline(monkeypatch, caplog):
    monkeypatch.setattr(under_test, "DEADLINE_SECONDS", -0.9)
    over = threading.Event()

    class Slow(Recorded):
        def deliver(self, notification):
            over.wait(30)

    left = notifier(Slow("slow")).outbox_after(Outbox().with_notifications([notification("a")], ["slow"]), 0.0, LOGGER)
    over.set()
    assert left.waiting[0].attempts == 1
    assert "a channel takes too long" in caplog.text


def test_a_channel_that_is_no_longer_set_has_nothing_waiting():
    assert not notifier().outbox_after(Outbox().with_notifications([notification("a")], ["gone"]), 0.0, LOGGER).waiting


def test_an_evaluation_ends_in_time_and_the_rest_waits_unchanged(monkeypatch):
    monkeypatch.setattr(under_test, "_EVALUATION_SECONDS", 0.0)
    outbox = Outbox().with_notifications([notification("a")], ["up"])
    assert notifier(Recorded("up")).outbox_after(outbox, 0.0, LOGGER) == outbox


def test_a_test_notification_reports_every_channel_s_failure():
    answers = notifier(Recorded("up"), Recorded("down", DeliveryError("no"))).try_all(notification("a"), LOGGER)
    assert json.dumps({name: str(failure) for name, failure in answers.items() if failure}) == json.dumps(
        {"down": "[notice_undelivered] no"}
    )
    assert list(answers) == ["log", "up", "down"]
