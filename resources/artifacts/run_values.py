"""Values that several steps of one run read: read and verified once."""

from collections.abc import Callable, Hashable
from typing import Any

from assay.data.dataset import Dataset, ValidatedDataset
from resources.store.commit_record import Commit

_BUDGET_BYTES = 256 << 20


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
        """Return the value of a commit, read before in this run or now.

        Args:
            run_id: of the run that asks.
            commit: the version.
            kind: the type of the value.
            read: reads and verifies it.
        """
        if run_id != self._run_id:
            self._run_id, self._values, self._bytes = run_id, {}, 0
        key = (commit.asset, commit.partition, commit.number, kind)
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
