"""What steps read: values kept for the steps of one run, and the partitions that a step of many asks for."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from assay.data.dataset import Dataset, ValidatedDataset
from resources.store.commit_record import Commit

_BUDGET_BYTES = 256 << 20
Reader: TypeAlias = Callable[[Sequence[str]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class RangeOutcome:
    """What a step that made many partitions hands on; the values are in the store.

    Attributes:
        failed: why a partition could not be made, by its key.
        skipped: why a partition was not to be made, by its key.
    """

    failed: Mapping[str, str]
    skipped: Mapping[str, str]

    @property
    def missing(self) -> dict[str, str]:
        """Every partition without a value of this run."""
        return {**self.skipped, **self.failed}


@dataclass(slots=True)
class WindowCache:
    """Partitions by key; what two windows share is read once, and one window is in memory."""

    read: Reader
    _held: dict[str, Any] = field(default_factory=dict)

    def of(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return the values of some partitions; what the last call returned as well is not read again."""
        self._held = {key: value for key, value in self._held.items() if key in keys}
        self._held |= self.read([key for key in keys if key not in self._held])
        return {key: self._held[key] for key in keys}


@dataclass(slots=True)
class PartitionedInput:
    """Partitions of an upstream asset, at most one window of them in memory.

    Attributes:
        window: reads and holds them.
        many: whether the step wants a mapping by key, or the value of one.
        outcome: partitions that the step before did not make in this run, and why.
        published: whether a partition has any version.
        note: called with the keys of every partition that is returned.
    """

    window: WindowCache
    many: bool
    outcome: RangeOutcome
    published: Callable[[str], bool]
    note: Callable[[Iterable[str]], None]

    def of(self, keys: Sequence[str]) -> Any:
        """Return the values of some partitions.

        Args:
            keys: partition keys; exactly one where the step wants one value.

        Raises:
            ArtifactNotFoundError: partitions were never published; names them all.
            GateRejectedError: the newest of a partition is a refusal.
            DigestMismatchError: the stored value differs from the published one.
        """
        values = self.window.of(keys)
        self.note(keys)
        return values if self.many else values[keys[0]]

    def unpublished(self, keys: Iterable[str]) -> int:
        """Return how many partitions have never been published."""
        return sum(not self.published(key) for key in keys)


class RunValues:
    """Keeps what the steps of the current run have read, up to 256 MiB; another run starts with none.

    A value is kept by its commit, and steps change no value that they read. A run in one process then decodes a table
    and loads a model once; whatever was changed in the store is noticed by the next run.
    """

    def __init__(self) -> None:
        self._run_id = ""
        self._values: dict[Hashable, Any] = {}
        self._bytes = 0

    def once(self, run_id: str, commit: Commit, kind: type[Any], read: Callable[[], Any]) -> Any:
        """Return the value of a commit, read before in this run or now."""
        if run_id != self._run_id:
            self._run_id, self._values, self._bytes = run_id, {}, 0
        key = (commit.asset, commit.partition, commit.number, commit.attempt_id, kind)
        if key in self._values:
            return self._values[key]
        value = read()
        size = _size(value, commit)
        if self._bytes + size <= _BUDGET_BYTES:
            self._values[key] = value
            self._bytes += size
        return value


def _size(value: Any, commit: Commit) -> int:
    if isinstance(value, Dataset | ValidatedDataset):
        return int(value.table.nbytes)
    return sum(item.size for item in commit.objects)
