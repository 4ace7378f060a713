"""A table together with what is known of it.

Does not belong here: how tables are read, stored or judged.
"""

from dataclasses import dataclass, field

import pyarrow as pa

from assay.tables.fingerprint import TableFingerprint
from assay.tables.schema import TableSchema
from assay.validation.receipt import GateReceipt


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows of one partition.

    Attributes:
        table: the rows.
        schema: dtype and role of every column of `table`, in its order.
        fingerprint: identity of all rows, names and dtypes.
        notes: facts for the reader, e.g. rows dropped and why.
    """

    table: pa.Table
    schema: TableSchema
    fingerprint: TableFingerprint
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ValidatedDataset:
    """Rows of one partition that passed the gate, and the receipt that says so."""

    table: pa.Table
    schema: TableSchema
    fingerprint: TableFingerprint
    receipt: GateReceipt
