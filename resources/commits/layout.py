"""Where commits and their objects lie in a store.

Does not belong here: reading and writing.
"""

import re

from resources.object_store.keys import encoded

_DIGITS = 8
_WHOLE, _PARTITION = "@whole", "@partition"
_MARKER = re.compile(f"/({_WHOLE}|{_PARTITION})/")


def series_prefix(asset: tuple[str, ...], partition: str | None) -> str:
    """Return the prefix of all that belongs to one asset and partition.

    No encoded name holds `@`, so that an asset's partitions never clash with assets below it.
    """
    path = "/".join(encoded(part) for part in asset)
    return f"{path}/{_PARTITION}/{encoded(partition)}/" if partition is not None else f"{path}/{_WHOLE}/"


def commits_prefix(asset: tuple[str, ...], partition: str | None) -> str:
    """Return the prefix of the commit records."""
    return f"{series_prefix(asset, partition)}commits/"


def commit_key(asset: tuple[str, ...], partition: str | None, number: int) -> str:
    """Return the key of a commit record; keys sort as numbers do."""
    return f"{commits_prefix(asset, partition)}{number:0{_DIGITS}d}.json"


def number_of(key: str) -> int | None:
    """Return the number in a record's key; None where the key is no record's."""
    stem = key.rpartition("/")[2].removesuffix(".json")
    return int(stem) if len(stem) == _DIGITS and stem.isdecimal() else None


def is_data(key: str) -> bool:
    """Whether a key is a data object's, in whatever asset; assets may be called `data`, too."""
    head, marker, rest = _split(key)
    within = rest.split("/")[1:] if marker == _PARTITION else rest.split("/")
    return bool(head) and len(within) > 1 and within[0] == "data"


def records_prefix_of(key: str) -> str:
    """Return the prefix of the commit records that may name a data object."""
    before, marker, rest = _split(key)
    partition = f"{rest.split('/')[0]}/" if marker == _PARTITION else ""
    return f"{before}/{marker}/{partition}commits/"


def attempt_prefix(asset: tuple[str, ...], partition: str | None, attempt_id: str) -> str:
    """Return the prefix of the data objects that one attempt writes."""
    return f"{series_prefix(asset, partition)}data/{encoded(attempt_id)}/"


def object_key(asset: tuple[str, ...], partition: str | None, attempt_id: str, sha256: str, name: str) -> str:
    """Return the key of a data object; attempts never share one, unless the bytes are the same.

    Args:
        asset: asset key's components.
        partition: partition key.
        attempt_id: who writes.
        sha256: of the object's bytes.
        name: the object's own name, which a codec chose.
    """
    return f"{attempt_prefix(asset, partition, attempt_id)}{sha256[:16]}-{name}"


def _split(key: str) -> tuple[str, str, str]:
    """Return the asset's path, the marker and what follows; three empty texts for a key of something else."""
    parts = _MARKER.split(key, maxsplit=1)
    return (parts[0], parts[1], parts[2]) if len(parts) > 1 else ("", "", "")
