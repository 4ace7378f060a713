"""What every channel promises, held against local endpoints; then what is each one's own."""

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from mail_server import certificate_of_localhost, mail_server
from pydantic import SecretStr
from servers import free_port
from web_receiver import web_receiver

from assay.notifications.notification import Notification, NotificationKind, json_of, slack_of, text_of
from resources.notifications import channels as http_post
from resources.notifications import channels as mail
from resources.notifications.channels import (
    EVENT,
    SIGNATURE,
    Channel,
    DeliveryError,
    DeliveryRefusedError,
    LogChannel,
    MailChannel,
    SlackChannel,
    WebhookChannel,
)

NOTICE = Notification(
    kind=NotificationKind.GATE_REFUSED,
    event="gate_refused:r1:März",
    pipeline="bank",
    partition="März",
    title="The gate refused the data of bank März",
    lines=("values_in_range: 3 rows",),
    link="http://ui/assets/bank/validated_dataset",
)
SECRET = "swordfish"
SENDER, RECIPIENTS = "assay@example.org", ["ann@example.org", "bob@example.org"]


@dataclass
class Endpoint:
    """A channel with its other side."""

    channel: Channel
    received: Callable[[], list]
    fail: Callable[[], None]
    refuse: Callable[[], None]
    fall_silent: Callable[[], None]
    elsewhere: Callable[[int], Channel]


@pytest.fixture(autouse=True)
def short_deadlines(monkeypatch):
    monkeypatch.setattr(http_post, "DEADLINE_SECONDS", 1.0)
    monkeypatch.setattr(http_post, "_FIRST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(mail, "DEADLINE_SECONDS", 0.5)


@pytest.fixture
def web():
    with web_receiver() as receiver:
        yield receiver


@pytest.fixture
def mails():
    with mail_server() as server:
        yield server


def mail_channel(port, *, user="ann", password="swordfish%2F%40%3A"):
    return MailChannel(SecretStr(f"smtp://{user}:{password}@127.0.0.1:{port}"), SENDER, RECIPIENTS)


@pytest.fixture(params=["webhook", "slack", "mail"])
def endpoint(request):
    if request.param == "mail":
        server = request.getfixturevalue("mails")
        return Endpoint(
            channel=mail_channel(server.port),
            received=lambda: server.mails,
            fail=lambda: setattr(server, "answer", "451 later"),
            refuse=lambda: setattr(server, "answer", "554 never"),
            fall_silent=lambda: setattr(server, "silent", True),
            elsewhere=mail_channel,
        )
    web = request.getfixturevalue("web")

    def channel(port):
        address = SecretStr(f"http://127.0.0.1:{port}/{SECRET}?token={SECRET}")
        return SlackChannel(address) if request.param == "slack" else WebhookChannel(address, SecretStr(SECRET))

    return Endpoint(
        channel=channel(int(web.url.rpartition(":")[2])),
        received=lambda: web.posts,
        fail=lambda: web.statuses.extend([503] * 3),
        refuse=lambda: web.statuses.append(403),
        fall_silent=lambda: web.statuses.extend([0] * 3),
        elsewhere=channel,
    )


def test_a_notification_arrives_once(endpoint):
    endpoint.channel.deliver(NOTICE)
    assert len(endpoint.received()) == 1


def test_failures_that_may_pass_are_told_as_that(endpoint):
    endpoint.fail()
    with pytest.raises(DeliveryError) as told:
        endpoint.channel.deliver(NOTICE)
    assert not isinstance(told.value, DeliveryRefusedError)


def test_a_refusal_is_final(endpoint):
    endpoint.refuse()
    with pytest.raises(DeliveryRefusedError):
        endpoint.channel.deliver(NOTICE)


def test_a_silent_other_side_is_left_in_time(endpoint):
    endpoint.fall_silent()
    began = time.monotonic()
    with pytest.raises(DeliveryError) as told:
        endpoint.channel.deliver(NOTICE)
    assert time.monotonic() - began < 5
    assert not isinstance(told.value, DeliveryRefusedError)


def test_nobody_listening_is_a_failure_that_may_pass(endpoint):
    with pytest.raises(DeliveryError) as told:
        endpoint.elsewhere(free_port()).deliver(NOTICE)
    assert not isinstance(told.value, DeliveryRefusedError)


@pytest.mark.parametrize("trouble", ["fail", "refuse", "fall_silent"])
def test_no_secret_is_in_an_error_or_in_a_channel_s_text(endpoint, trouble):
    getattr(endpoint, trouble)()
    with pytest.raises(DeliveryError) as told:
        endpoint.channel.deliver(NOTICE)
    shown = f"{told.value} {told.value!r} {endpoint.channel!r} {endpoint.channel} {told.value.__cause__}"
    assert SECRET not in shown
    assert "127.0.0.1" in str(told.value)


def test_the_log_has_the_text_and_a_level(caplog):
    channel = LogChannel(logging.getLogger("notifications of a test"))
    with caplog.at_level(logging.INFO):
        channel.deliver(NOTICE)
        channel.deliver(Notification(NotificationKind.PROMOTION, "e", "p", "", "t 100%", (), ""))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", text_of(NOTICE)),
        ("INFO", "t 100%"),
    ]


def test_a_webhook_gets_signed_json(web):
    WebhookChannel(SecretStr(web.url), SecretStr(SECRET)).deliver(NOTICE)
    [(headers, body)] = web.posts
    assert json.loads(body) == json_of(NOTICE)
    assert headers["Content-Type"] == "application/json"
    assert headers[SIGNATURE] == "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers[EVENT] == "gate_refused:r1:M\\xe4rz"


def test_without_a_secret_nothing_is_signed(web):
    WebhookChannel(SecretStr(web.url), SecretStr("")).deliver(NOTICE)
    assert SIGNATURE not in web.posts[0][0]


def test_slack_gets_its_own_form(web):
    SlackChannel(SecretStr(web.url)).deliver(NOTICE)
    assert json.loads(web.posts[0][1]) == slack_of(NOTICE)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_post_is_repeated_after_an_answer_that_may_change(web, status):
    web.statuses.append(status)
    SlackChannel(SecretStr(web.url)).deliver(NOTICE)
    assert len(web.posts) == 2
    assert web.posts[0][1] == web.posts[1][1]


@pytest.mark.parametrize("status", [400, 404, 302])
def test_a_post_that_is_refused_or_redirected_is_not_repeated(web, status):
    web.statuses.append(status)
    with pytest.raises(DeliveryRefusedError, match=str(status)):
        SlackChannel(SecretStr(web.url)).deliver(NOTICE)
    assert len(web.posts) == 1


def test_a_mail_reads_as_the_notification(mails):
    mail_channel(mails.port).deliver(NOTICE)
    [message] = mails.mails
    assert message["Subject"] == "[assay] The gate refused the data of bank März"
    assert (message["From"], message["To"]) == (SENDER, ", ".join(RECIPIENTS))
    assert message.get_content().splitlines() == text_of(NOTICE).splitlines()
    assert message["Assay-Event"] == NOTICE.event
    assert mails.logins == ["ann"]


def test_a_wrong_password_is_final(mails):
    with pytest.raises(DeliveryRefusedError, match="status 535"):
        mail_channel(mails.port, password="guess").deliver(NOTICE)


def test_recipients_that_are_refused_are_told_of(mails):
    mails.refused = "bob@"
    with pytest.raises(DeliveryRefusedError, match="1 of 2 recipients"):
        mail_channel(mails.port).deliver(NOTICE)


def test_mail_is_encrypted_where_the_server_offers_it(tmp_path, monkeypatch):
    certificate = certificate_of_localhost(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with mail_server(certificate) as server:
        mail_channel(server.port).deliver(NOTICE)
        assert server.encrypted == [True]


def test_a_certificate_that_nobody_vouches_for_gets_no_password(tmp_path):
    with mail_server(certificate_of_localhost(tmp_path)) as server:
        with pytest.raises(DeliveryError, match="SSLCertVerificationError"):
            mail_channel(server.port).deliver(NOTICE)
        assert not server.logins


def test_a_password_leaves_the_machine_encrypted_or_not_at_all(mails, monkeypatch):
    monkeypatch.setattr(mail, "_is_this_machine", lambda _: False)
    with pytest.raises(DeliveryRefusedError, match="no encryption"):
        mail_channel(mails.port).deliver(NOTICE)
    assert not mails.logins
    MailChannel(SecretStr(f"smtp://127.0.0.1:{mails.port}"), SENDER, RECIPIENTS).deliver(NOTICE)
    assert len(mails.mails) == 1
