"""A table together with what is known of it.

The gate's receipt: which rows, under which rules, with which verdict.
"""

from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from assay.data.fingerprint import TableFingerprint
from assay.data.schema import TableSchema
from assay.errors import GateRejectedError, ReceiptMismatchError
from assay.specs.base import Spec


class GateReceipt(Spec):
    """Proof that the gate judged exactly these rows under exactly these rules."""

    data_digest: str
    """Fingerprint digest of the judged rows."""
    rules_digest: str
    """`assay.gate.gate.rules_digest` at the time."""
    verdict: Literal["passed", "failed"]
    failed_rules: tuple[str, ...] = ()
    """Names of the rules that blocked."""
    rows: int
    """Number of judged rows."""


def require_passed(receipt: GateReceipt, *, data_digest: str, rules_digest: str, where: str) -> None:
    """Refuse data that the receipt does not vouch for.

    Args:
        receipt: the receipt stored with the data.
        data_digest: digest of the rows as they are now, computed again.
        rules_digest: digest of the rules that hold for the caller.
        where: asset and partition, for the message.

    Raises:
        GateRejectedError: the verdict was `failed`.
        ReceiptMismatchError: other rows or other rules were judged.
    """
    if receipt.verdict != "passed":
        raise GateRejectedError(
            "the data-quality gate rejected this data",
            where=where,
            found=f"failed rules: {', '.join(receipt.failed_rules)}",
            expected="a passed gate",
            remedy="correct the data or the rules, then materialise validated_dataset again",
        )
    if receipt.data_digest != data_digest:
        raise ReceiptMismatchError(
            "the rows are not those that passed the gate",
            where=where,
            found=f"data digest {data_digest[:16]}",
            expected=f"data digest {receipt.data_digest[:16]}",
            remedy="the stored data was changed after the check: materialise validated_dataset again",
        )
    if receipt.rules_digest != rules_digest:
        raise ReceiptMismatchError(
            "the rows passed the gate under other rules than those of this run",
            where=where,
            found=f"rules digest {receipt.rules_digest[:16]}",
            expected=f"rules digest {rules_digest[:16]}",
            remedy="materialise validated_dataset again, with the same run parameters as this run",
        )


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
