"""Which copies in the quarantine are removed, and how.

Does not belong here: making copies (`quarantine`), when they are looked at (`ml_assets.maintenance`).
"""

from dataclasses import dataclass

from resources.object_store.interface import ObjectStore

QUARANTINE = "@quarantine"
DATA, REFUSAL = "data", "refusal.json"
_DAY = 86400.0
_MEGABYTE = 1_000_000


@dataclass(slots=True)
class _Copy:
    """A refused file and its reason.

    Attributes:
        made: seconds since the epoch, when its newest object was written.
        size: bytes of its objects.
    """

    made: float = 0.0
    size: int = 0


def expire(store: ObjectStore, *, days: float | None, megabytes: float | None, now: float) -> list[str]:
    """Remove copies that are too old, and then the oldest of those that are too much together.

    A file that is refused again after that is copied again.

    Args:
        store: the artifact store's objects.
        days: longest age of a copy; any unless given.
        megabytes: most that all copies may take together, in 10^6 bytes; any unless given.
        now: seconds since the epoch, by the clock that the store's objects are dated by.

    Returns:
        The removed folders, oldest first.

    Raises:
        StorageError: the store failed.
    """
    if days is None and megabytes is None:
        return []
    copies = _copies(store)
    total = sum(copy.size for copy in copies.values())
    removed = []
    for folder, copy in sorted(copies.items(), key=lambda item: (item[1].made, item[0])):
        too_old = days is not None and now - copy.made > days * _DAY
        too_much = megabytes is not None and total > megabytes * _MEGABYTE
        if too_old or too_much:
            # the reason goes first: where it is, the bytes are whole
            for name in (REFUSAL, DATA):
                store.delete(f"{folder}/{name}")
            total -= copy.size
            removed.append(folder)
    return removed


def _copies(store: ObjectStore) -> dict[str, _Copy]:
    """Return all copies by their folder; one without a reason was not finished, and ages like the others."""
    copies: dict[str, _Copy] = {}
    for item in store.list_objects(""):
        parts = item.key.split("/")
        if len(parts) == len(("pipeline", QUARANTINE, "sha256", DATA)) and parts[1] == QUARANTINE:
            copy = copies.setdefault(item.key.rpartition("/")[0], _Copy())
            copy.made, copy.size = max(copy.made, item.modified), copy.size + item.size
    return copies
