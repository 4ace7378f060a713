"""The forms of a notification: text, Slack, JSON and back."""

import json

from assay.notifications.notification import (
    Notification,
    NotificationKind,
    fields_of,
    json_of,
    notification_from,
    slack_of,
    text_of,
)

REFUSED = Notification(
    kind=NotificationKind.GATE_REFUSED,
    event="gate_refused:1:a.csv",
    pipeline="bank",
    partition="a.csv",
    title="The gate refused the data of bank a.csv",
    lines=("ranges <age> & more: 3 rows",),
    link="http://ui/assets/bank/validated_dataset",
)


def test_the_text_has_title_lines_and_link():
    assert text_of(REFUSED).splitlines() == [
        "The gate refused the data of bank a.csv",
        "  ranges <age> & more: 3 rows",
        "http://ui/assets/bank/validated_dataset",
    ]


def test_slack_markup_in_names_is_escaped():
    header, lines, link = slack_of(REFUSED)["blocks"]
    assert header["text"] == {"type": "plain_text", "text": REFUSED.title, "emoji": False}
    assert lines["text"] == {"type": "mrkdwn", "text": "ranges &lt;age&gt; &amp; more: 3 rows"}
    assert link["text"]["text"] == "<http://ui/assets/bank/validated_dataset|Open in Dagster>"


def test_names_cannot_mention_users_of_slack():
    notification = Notification(NotificationKind.DRIFT, "e", "p", "", "<!channel> p", ("<!everyone>",), "http://ui/a|b")
    reported = json.dumps(slack_of(notification))
    assert "<!" not in slack_of(notification)["text"] + slack_of(notification)["blocks"][1]["text"]["text"]
    assert "http://ui/a%7Cb|Open" in reported


def test_slack_s_limits_of_length_are_kept():
    notification = Notification(
        NotificationKind.DRIFT, "e", "p", "", "t" * 300, tuple("<" * 300 for _ in range(12)), ""
    )
    header, lines = slack_of(notification)["blocks"]
    assert len(header["text"]["text"]) == 150
    assert len(lines["text"]["text"]) == 3000


def test_the_json_holds_every_field_and_the_text():
    reported = json.loads(json.dumps(json_of(REFUSED)))
    assert reported["version"] == 1
    assert (reported["kind"], reported["pipeline"], reported["partition"]) == ("gate_refused", "bank", "a.csv")
    assert reported["text"] == text_of(REFUSED)


def test_a_stored_notification_comes_back_whole():
    assert notification_from(json.loads(json.dumps(fields_of(REFUSED)))) == REFUSED
