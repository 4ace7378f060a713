"""Where commits and their objects lie in a store.

Does not belong here: reading and writing.
"""

from resources.object_store.keys import encoded

_DIGITS = 8


def series_prefix(asset: tuple[str, ...], partition: str | None) -> str:
    """Return the prefix of all that belongs to one asset and partition.

    No encoded name holds `@`, so that an asset's partitions never clash with assets below it.
    """
    path = "/".join(encoded(part) for part in asset)
    return f"{path}/@partition/{encoded(partition)}/" if partition is not None else f"{path}/@whole/"


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


def object_key(asset: tuple[str, ...], partition: str | None, attempt_id: str, sha256: str, name: str) -> str:
    """Return the key of a data object; attempts never share one, unless the bytes are the same.

    Args:
        asset: asset key's components.
        partition: partition key.
        attempt_id: who writes.
        sha256: of the object's bytes.
        name: the object's own name, which a codec chose.
    """
    return f"{series_prefix(asset, partition)}data/{encoded(attempt_id)}/{sha256[:16]}-{name}"
