"""A webhook: the notice as JSON, signed.

Does not belong here: the JSON (`assay.notices.forms`), the way there (`http_post`).
"""

import hashlib
import hmac
import json

from pydantic import SecretStr

from assay.notices.forms import json_of
from assay.notices.notice import Notice
from resources.notifications.http_post import post_json
from resources.notifications.interface import Channel

SIGNATURE = "X-Assay-Signature-256"
EVENT = "X-Assay-Event"


class WebhookChannel(Channel):
    """Posts notices; with a secret, the header says who posted: `sha256=` and the body's HMAC-SHA-256 in hex."""

    name = "webhook"

    def __init__(self, address: SecretStr, secret: SecretStr) -> None:
        self._address, self._secret = address, secret

    def deliver(self, notice: Notice) -> None:
        """Post the notice; `X-Assay-Event` names the event, so that a receiver knows one it has heard of."""
        body = json.dumps(json_of(notice), ensure_ascii=False).encode()
        headers = {EVENT: notice.event.encode("ascii", "backslashreplace").decode()}
        if secret := self._secret.get_secret_value():
            headers[SIGNATURE] = f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
        post_json(self._address.get_secret_value(), body, headers, "ASSAY_NOTIFY_WEBHOOK_URL")
