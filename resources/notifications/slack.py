"""An incoming webhook of Slack; Mattermost and others take the same.

Does not belong here: the message (`assay.notices.forms`), the way there (`http_post`).
"""

import json

from pydantic import SecretStr

from assay.notices.forms import slack_of
from assay.notices.notice import Notice
from resources.notifications.http_post import post_json
from resources.notifications.interface import Channel


class SlackChannel(Channel):
    """Posts notices to the channel that the address stands for."""

    name = "slack"

    def __init__(self, address: SecretStr) -> None:
        self._address = address

    def deliver(self, notice: Notice) -> None:
        """Post the notice."""
        body = json.dumps(slack_of(notice)).encode()
        post_json(self._address.get_secret_value(), body, {}, "ASSAY_NOTIFY_SLACK_URL")
