"""Keeping users, passwords, signatures and values of variables out of what people read."""

import re
from typing import Any

_USER = re.compile(r"://[^/\s@]+(?:@[^/\s@]+)*@")
_QUERY = re.compile(r"((?:https?|s3|ftp)://[^\s?#\"'<>]*)[?#][^\s\"'<>]*")
_SHORTEST = 5
_masked: dict[str, str] = {}


def mask(value: str, shown: str) -> None:
    """Show something else in place of a value, in this process.

    Args:
        value: such as what a variable of a source stands for; shorter than 5 characters it is ordinary text.
        shown: in its place, such as the variable.
    """
    if len(value) >= _SHORTEST:
        _masked[value] = shown


def without_masked(text: str) -> str:
    """Return a text in which no masked value occurs."""
    for value in sorted(_masked, key=len, reverse=True):
        text = text.replace(value, _masked[value])
    return text


def without_credentials(text: str) -> str:
    """Return a text in which no address names a user or a password."""
    return _USER.sub("://", without_masked(text))


def redacted(value: Any) -> Any:
    """Return a JSON-able value whose texts hold no masked value, and no user or query string of an address."""
    if isinstance(value, str):
        return _QUERY.sub(r"\1", without_credentials(value))
    if isinstance(value, dict):
        return {key: redacted(each) for key, each in value.items()}
    return [redacted(each) for each in value] if isinstance(value, list) else value
