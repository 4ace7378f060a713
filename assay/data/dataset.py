"""The rows of one partition with their identity, and the gate's receipt for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from assay.data.fingerprint import TableFingerprint
from assay.data.schema import TableSchema
from assay.errors import GateRejectedError, ReceiptMismatchError
from assay.specs.base import Spec


class GateWarning(Spec):
    """What a rule of the gate found that does not block."""

    rule: str
    column: str
    """Empty for the rows as a whole."""
    found: str
    holds: bool = False
    """Whether promotion waits for a person: of a column, if the fitted model relies on it; of the rows, always."""
    conclusive: bool = False
    """Whether the column holds the target by itself, so that promotion waits even if the model could do without."""


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
    warnings: tuple[GateWarning, ...] = ()
    """What rules found that only warn; empty in receipts of version 0.1."""
    forgotten_rows: int = 0
    """Judged rows that were removed after the verdict, for people who asked to be forgotten; `data_digest` and `rows`
    are of those that stay."""


def require_passed(receipt: GateReceipt, *, data_digest: str, rules_digest: str, where: str) -> None:
    """Refuse data unless its receipt is passed, for the digest of these rows, computed again, and the caller's rules.

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
        what = "the rows are not those that passed the gate"
        remedy = "the stored data was changed after the check: materialise validated_dataset again"
        raise _mismatch(what, where, "data", data_digest, receipt.data_digest, remedy)
    if receipt.rules_digest != rules_digest:
        what = "the rows passed the gate under other rules than those of this run"
        remedy = "materialise validated_dataset again, with the same run parameters as this run"
        raise _mismatch(what, where, "rules", rules_digest, receipt.rules_digest, remedy)


def _mismatch(what: str, where: str, kind: str, found: str, expected: str, remedy: str) -> ReceiptMismatchError:
    found, expected = f"{kind} digest {found[:16]}", f"{kind} digest {expected[:16]}"
    return ReceiptMismatchError(what, where=where, found=found, expected=expected, remedy=remedy)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows of one partition.

    Attributes:
        table: the rows.
        schema: dtype and role of every column of `table`, in its order.
        fingerprint: identity of all rows, names and dtypes.
        notes: facts for users, e.g. rows dropped and why.
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


def warnings_of(window: Mapping[str, ValidatedDataset]) -> tuple[GateWarning, ...]:
    """Return what the gate warned of in the partitions of a window; the newest finding of each rule and column."""
    found = {(each.rule, each.column): each for key in sorted(window) for each in window[key].receipt.warnings}
    return tuple(found.values())
