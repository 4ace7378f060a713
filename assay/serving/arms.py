"""Which of two versions predicts a row: a stable hash of the row's key.

The arm depends on pipeline, salt, key and share alone, so that every process and machine gives the same one, nothing is
kept between requests, and a greater share only moves keys from the champion to the challenger.
"""

import datetime as dt
import hashlib
from enum import StrEnum
from typing import Any

_LONGEST_KEY = 256
_BITS = 53
"""Of a float between 0 and 1."""


class Arm(StrEnum):
    """The part that a version plays in answering requests."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"


def position_of(pipeline: str, salt: str, key: str) -> float:
    """Return the key's position in [0, 1), uniform over keys: 53 bits of the BLAKE2b hash of the three texts.

    Hashing the unit of randomisation with a salt of the experiment: Kohavi, Tang and Xu (2020), "Trustworthy Online
    Controlled Experiments", chapter 4.
    """
    parts = (part.encode("utf-8", "surrogatepass") for part in (pipeline, salt, key))
    data = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    number = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")
    return (number >> (64 - _BITS)) / 2.0**_BITS


def arm_of(pipeline: str, salt: str, key: str, share: float) -> Arm:
    """Return the arm of a key.

    Args:
        pipeline: name.
        salt: of the experiment.
        key: as `key_text` writes it.
        share: of keys that belong to the challenger, 0 to 1.
    """
    return Arm.CHALLENGER if position_of(pipeline, salt, key) < share else Arm.CHAMPION


def key_text(value: Any) -> str | None:
    """Return a key as text, so that 42, 42.0 and "42" are one key; None for a missing value.

    Texts of more than 256 characters become their SHA-256; what is no Unicode text is escaped.
    """
    if value is None or value != value or value == "":  # noqa: PLR0124 - NaN
        return None
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, float) and value.is_integer():
        text = str(int(value))
    elif isinstance(value, dt.date):
        text = value.isoformat()
    else:
        text = str(value)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _LONGEST_KEY else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
