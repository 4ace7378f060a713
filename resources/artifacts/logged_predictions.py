"""Rows of prediction logs that are to be forgotten: in the objects that the endpoint wrote.

An object keeps its name when rows of it go, also when none is left, so that a process that stores it once more stores
nothing. Rows that the endpoint still keeps in its buffer are found once they are stored.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import StorageError
from resources.artifacts.row_search import RowSearch
from resources.prediction_log import all_keys, logged_pipelines, parquet_bytes, rows_in
from resources.store.interface import ObjectStore

_TRIES = 5


@dataclass(frozen=True, slots=True)
class HeldInLog:
    """Rows of one object of a log that are to be forgotten.

    Attributes:
        key: of the object.
        rows: how many.
    """

    key: str
    rows: int


@dataclass(frozen=True, slots=True)
class LogSearch:
    """Searches the objects of prediction logs.

    Attributes:
        store: of the objects.
        search: the expression.
        pipeline: whose log; those of all unless given.
    """

    store: ObjectStore
    search: RowSearch
    pipeline: str | None = None

    def held(self) -> tuple[list[HeldInLog], bool]:
        """Return the objects that hold such rows, and whether any object has the expression's columns.

        Raises:
            DataContractError: the expression cannot be evaluated over the rows.
            StorageError: the store failed, or an object is damaged.
        """
        found, has_columns = [], False
        for key in self._keys():
            mask = self._held(key, rows_in(self.store.get_bytes(key), self.store.uri(key)))
            has_columns = has_columns or mask is not None
            if mask is not None and pc.any(mask).as_py():
                found.append(HeldInLog(key, int(pc.sum(mask).as_py())))
        return found, has_columns

    def remove(self, held: HeldInLog) -> None:
        """Remove the rows from an object.

        Raises:
            StorageError: the store failed, or others change the object again and again.
        """
        for _ in range(_TRIES):
            data = self.store.get_bytes(held.key)
            rows = rows_in(data, self.store.uri(held.key))
            mask = self._held(held.key, rows)
            if mask is None or self.store.replace(held.key, parquet_bytes(rows.filter(pc.invert(mask))), data):
                return
        raise StorageError("an object of the prediction log changes again and again", where=self.store.uri(held.key))

    def _keys(self) -> Iterator[str]:
        names = [self.pipeline] if self.pipeline is not None else logged_pipelines(self.store)
        for name in names:
            yield from all_keys(self.store, name)

    def _held(self, key: str, rows: pa.Table) -> pa.ChunkedArray | None:
        """Return for each row whether it is to be forgotten; None where the columns are missing."""
        if not set(self.search.columns) <= set(rows.column_names):
            return None
        return self.search.truth(rows, self.store.uri(key))
