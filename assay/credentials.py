"""Keeping users and passwords of addresses out of what people read.

Does not belong here: which settings are secret (`resources.settings`).
"""

import re

_USER = re.compile(r"://[^/\s@]+(?:@[^/\s@]+)*@")


def without_credentials(text: str) -> str:
    """Return a text in which no address names a user or a password."""
    return _USER.sub("://", text)
