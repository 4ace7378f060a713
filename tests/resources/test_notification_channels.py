"""Promises of every channel against local endpoints, then those of single channels."""

import contextlib
import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from mail_server import certificate_of_localhost, mail_server
from pydantic import SecretStr
from servers import free_port

from assay.errors import DeliveryError, DeliveryRefusedError, SettingError
from assay.notifications.notification import Notification, NotificationKind, json_of, slack_of, text_of
from resources.notifications import apprise_services, mail, webhooks
from resources.notifications.apprise_services import open_apprise
from resources.notifications.channels import Channel, LogChannel
from resources.notifications.mail import MailChannel
from resources.notifications.webhooks import EVENT, SIGNATURE, SlackChannel, WebhookChannel
from resources.settings import Settings

REFUSED = Notification(
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
    """A channel and its receiver."""

    channel: Channel
    received: Callable[[], list]
    fail: Callable[[], None]
    refuse: Callable[[], None]
    fall_silent: Callable[[], None]
    elsewhere: Callable[[int], Channel]


@pytest.fixture(autouse=True)
def short_deadlines(monkeypatch):
    monkeypatch.setattr(webhooks, "DEADLINE_SECONDS", 1.0)
    monkeypatch.setattr(webhooks, "_FIRST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(apprise_services, "DEADLINE_SECONDS", 1.0)
    monkeypatch.setattr(mail, "DEADLINE_SECONDS", 0.5)


@pytest.fixture
def mails():
    with mail_server() as server:
        yield server


def mail_channel(port, *, user="ann", password="swordfish%2F%40%3A"):
    return MailChannel(SecretStr(f"smtp://{user}:{password}@127.0.0.1:{port}"), SENDER, RECIPIENTS)


def apprise_channel(*urls) -> Channel:
    return open_apprise(Settings(notify_apprise_urls=" ".join(urls)))[-1]


@pytest.fixture(params=["webhook", "slack", "mail", "apprise"])
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
        if request.param == "apprise":
            return apprise_channel(f"json://ann:{SECRET}@127.0.0.1:{port}/{SECRET}?+token={SECRET}")
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
    endpoint.channel.deliver(REFUSED)
    assert len(endpoint.received()) == 1


def test_failures_that_may_pass_are_not_final(endpoint):
    endpoint.fail()
    with pytest.raises(DeliveryError) as caught:
        endpoint.channel.deliver(REFUSED)
    assert not isinstance(caught.value, DeliveryRefusedError)


@pytest.mark.parametrize("endpoint", ["webhook", "slack", "mail"], indirect=True)
def test_a_refusal_is_final(endpoint):
    endpoint.refuse()
    with pytest.raises(DeliveryRefusedError):
        endpoint.channel.deliver(REFUSED)


def test_a_silent_receiver_is_given_up_in_time(endpoint):
    endpoint.fall_silent()
    with pytest.raises(DeliveryError) as caught:
        endpoint.channel.deliver(REFUSED)
    assert not isinstance(caught.value, DeliveryRefusedError)


def test_a_receiver_that_is_down_is_a_failure_that_may_pass(endpoint):
    with pytest.raises(DeliveryError) as caught:
        endpoint.elsewhere(free_port()).deliver(REFUSED)
    assert not isinstance(caught.value, DeliveryRefusedError)


@pytest.mark.parametrize("trouble", ["fail", "refuse", "fall_silent"])
def test_no_secret_is_in_an_error_or_in_a_channel_s_text(endpoint, trouble):
    getattr(endpoint, trouble)()
    with pytest.raises(DeliveryError) as caught:
        endpoint.channel.deliver(REFUSED)
    shown = f"{caught.value} {caught.value!r} {endpoint.channel!r} {endpoint.channel} {caught.value.__cause__}"
    assert SECRET not in shown
    assert ("json://..." if endpoint.channel.name == "apprise-json" else "127.0.0.1") in str(caught.value)


@pytest.mark.parametrize("trouble", ["", "fail", "refuse"])
def test_no_secret_is_in_the_process_s_log_at_any_level(endpoint, trouble, monkeypatch):
    records, handler = [], logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    monkeypatch.setattr(logging.root, "handlers", [handler])
    monkeypatch.setattr(logging.root, "level", logging.DEBUG)
    logging.root.manager._clear_cache()  # of levels that loggers had under the root's former one
    if trouble:
        getattr(endpoint, trouble)()
    with contextlib.suppress(DeliveryError):
        endpoint.channel.deliver(REFUSED)
    assert SECRET not in "\n".join(records)


def test_the_log_has_the_text_and_a_level(caplog):
    channel = LogChannel(logging.getLogger("notifications of a test"))
    with caplog.at_level(logging.INFO):
        channel.deliver(REFUSED)
        channel.deliver(Notification(NotificationKind.PROMOTION, "e", "p", "", "t 100%", (), ""))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", text_of(REFUSED)),
        ("INFO", "t 100%"),
    ]


def test_a_webhook_gets_signed_json(web):
    WebhookChannel(SecretStr(web.url), SecretStr(SECRET)).deliver(REFUSED)
    [(headers, body)] = web.posts
    assert json.loads(body) == json_of(REFUSED)
    assert headers["Content-Type"] == "application/json"
    assert headers[SIGNATURE] == "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers[EVENT] == "gate_refused:r1:M\\xe4rz"


def test_without_a_secret_nothing_is_signed(web):
    WebhookChannel(SecretStr(web.url), SecretStr("")).deliver(REFUSED)
    assert SIGNATURE not in web.posts[0][0]


def test_slack_gets_its_own_form(web):
    SlackChannel(SecretStr(web.url)).deliver(REFUSED)
    assert json.loads(web.posts[0][1]) == slack_of(REFUSED)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_post_is_repeated_after_a_failure_that_may_pass(web, status):
    web.statuses.append(status)
    SlackChannel(SecretStr(web.url)).deliver(REFUSED)
    assert len(web.posts) == 2
    assert web.posts[0][1] == web.posts[1][1]


@pytest.mark.parametrize("status", [400, 404, 302])
def test_a_post_that_is_refused_or_redirected_is_not_repeated(web, status):
    web.statuses.append(status)
    with pytest.raises(DeliveryRefusedError, match=str(status)):
        SlackChannel(SecretStr(web.url)).deliver(REFUSED)
    assert len(web.posts) == 1


def test_a_mail_reads_as_the_notification(mails):
    mail_channel(mails.port).deliver(REFUSED)
    [message] = mails.mails
    assert message["Subject"] == "[assay] The gate refused the data of bank März"
    assert (message["From"], message["To"]) == (SENDER, ", ".join(RECIPIENTS))
    assert message.get_content().splitlines() == text_of(REFUSED).splitlines()
    assert message["Assay-Event"] == REFUSED.event
    assert mails.logins == ["ann"]


def test_a_wrong_password_is_final(mails):
    with pytest.raises(DeliveryRefusedError, match="status 535"):
        mail_channel(mails.port, password="guess").deliver(REFUSED)


def test_refused_recipients_are_an_error(mails):
    mails.refused = "bob@"
    with pytest.raises(DeliveryRefusedError, match="1 of 2 recipients"):
        mail_channel(mails.port).deliver(REFUSED)


def test_mail_is_encrypted_where_the_server_offers_it(tmp_path, monkeypatch):
    certificate = certificate_of_localhost(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with mail_server(certificate) as server:
        mail_channel(server.port).deliver(REFUSED)
        assert server.encrypted == [True]


def test_an_untrusted_certificate_gets_no_password(tmp_path):
    with mail_server(certificate_of_localhost(tmp_path)) as server:
        with pytest.raises(DeliveryError, match="SSLCertVerificationError"):
            mail_channel(server.port).deliver(REFUSED)
        assert not server.logins


def test_a_password_leaves_the_machine_encrypted_or_not_at_all(mails, monkeypatch):
    monkeypatch.setattr(mail, "_is_this_machine", lambda _: False)
    with pytest.raises(DeliveryRefusedError, match="no encryption"):
        mail_channel(mails.port).deliver(REFUSED)
    assert not mails.logins
    MailChannel(SecretStr(f"smtp://127.0.0.1:{mails.port}"), SENDER, RECIPIENTS).deliver(REFUSED)
    assert len(mails.mails) == 1


def test_every_url_of_apprise_is_a_channel_of_its_own_name():
    urls = "json://127.0.0.1/a\ndiscord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js json://127.0.0.1/b"
    settings = Settings(notify_apprise_urls=urls)
    assert [channel.name for channel in open_apprise(settings)] == ["apprise-json", "apprise-discord", "apprise-json-2"]


def test_a_service_of_apprise_gets_title_lines_and_link(web):
    apprise_channel(web.url.replace("http", "json")).deliver(REFUSED)
    [(_, body)] = web.posts
    posted = json.loads(body)
    assert (posted["title"], posted["type"]) == (REFUSED.title, "warning")
    assert text_of(REFUSED) == f"{posted['title']}\n{posted['message']}"


def test_a_service_of_apprise_follows_no_redirection(web):
    web.statuses.append(302)
    with pytest.raises(DeliveryError, match="302"):
        apprise_channel(web.url.replace("http", "json")).deliver(REFUSED)
    assert len(web.posts) == 1


def test_a_url_that_apprise_does_not_know_is_named_by_its_position():
    with pytest.raises(SettingError, match="URL 2") as caught:
        apprise_channel("json://127.0.0.1", f"nowhere://{SECRET}")
    assert SECRET not in str(caught.value)


def test_a_proxy_of_the_environment_delivers_a_webhook(web, monkeypatch):
    monkeypatch.setenv("http_proxy", web.url.replace("//", f"//ann:{SECRET}@"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    WebhookChannel(SecretStr("http://hooks.example.org/in"), SecretStr("")).deliver(REFUSED)
    [(headers, _)] = web.posts
    assert headers["Host"] == "hooks.example.org"
    assert headers["proxy-authorization"].startswith("Basic ")
