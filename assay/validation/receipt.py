"""The gate's receipt: which rows, under which rules, with which verdict.

Does not belong here: how the verdict came about (`gate`).
"""

from typing import Literal

from assay.errors import GateRejectedError, ReceiptMismatchError
from assay.specs.base import Spec


class GateReceipt(Spec):
    """Proof that the gate judged exactly these rows under exactly these rules."""

    data_digest: str
    """Fingerprint digest of the judged rows."""
    rules_digest: str
    """`assay.validation.rules_identity.rules_digest` at the time."""
    verdict: Literal["passed", "failed"]
    failed_rules: tuple[str, ...] = ()
    """Names of the rules that blocked."""
    rows: int
    """Number of judged rows."""


def require_passed(receipt: GateReceipt, *, data_digest: str, rules_digest: str, where: str) -> None:
    """Refuse data that the receipt does not vouch for.

    Args:
        receipt: the receipt stored with the data.
        data_digest: digest of the rows as they are now, computed afresh.
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
            remedy="mend the data or the rules, then materialise validated_dataset again",
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
