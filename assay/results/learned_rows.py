"""Which rows a model may have learned from: recorded in its manifest, small, and decided for any table later."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from assay.data.row_identity import below_share, row_hashes
from assay.specs.base import Spec

Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


class LearnedRows(Spec):
    """The training side of one split, as a rule: rows of these partitions whose hash is not below the holdout's share.

    The rule holds more rows than the model saw: rows of later data on the training side count as learned from too.
    """

    partitions: tuple[str, ...] | None = None
    """Partition keys; None for rows of any partition, since a row may be repeated in another one."""
    columns: tuple[str, ...] = ()
    """The columns that identify a row."""
    salt: str = ""
    holdout_share: float = 0
    """Rows whose hash is below this share of all hashes were held out; 0 where no row of the partitions was."""

    def of(self, table: pa.Table, partition_of_row: "np.ndarray[Any, Any]") -> Mask:
        """Return which rows are among them; all that may be, where a column of the identity is missing."""
        found = np.ones(table.num_rows, np.bool_)
        if self.partitions is not None:
            found = np.isin(partition_of_row.astype(str), self.partitions)
        if self.holdout_share and self.can_tell(table) and found.any():
            found &= ~below_share(row_hashes(table, self.columns, self.salt), self.holdout_share)
        return found

    def can_tell(self, table: pa.Table) -> bool:
        """Return whether the table has the columns that identify a row."""
        return set(self.columns) <= set(table.column_names)


def learned_from(rules: Iterable[LearnedRows], table: pa.Table, partition_of_row: "np.ndarray[Any, Any]") -> Mask:
    """Return which rows of a table a model may have learned from.

    Args:
        rules: of the model.
        table: all columns of the rows.
        partition_of_row: partition key of each row, shape (rows,); "" without partitions.
    """
    found = np.zeros(table.num_rows, np.bool_)
    for rule in rules:
        found |= rule.of(table, partition_of_row)
    return found


def together(rules: Sequence[LearnedRows], further: Sequence[LearnedRows]) -> tuple[LearnedRows, ...]:
    """Return the rules of a model that continued from another one; partitions of one rule are listed together."""
    merged: dict[str, LearnedRows] = {}
    for rule in (*rules, *further):
        key = rule.model_dump_json(exclude={"partitions"})
        known = merged.get(key)
        if known is not None and known.partitions is not None and rule.partitions is not None:
            keys = sorted({*known.partitions, *rule.partitions})
            merged[key] = rule.model_copy(update={"partitions": tuple(keys)})
        elif known is None or known.partitions is not None:
            merged[key] = rule
    return tuple(merged.values())
