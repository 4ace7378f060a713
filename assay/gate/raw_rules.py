"""The rules of `validation.raw`: the source's rows are judged before the steps of `features`.

Like the gate, these rules cannot be bypassed by running later assets alone: rows carry the digest of the rules that
they passed, and what is made of them is refused under others.
"""

import datetime as dt
from dataclasses import replace

from assay.data.dataset import Dataset
from assay.errors import ReceiptMismatchError
from assay.gate.gate import GateVerdict, rules_digest, run_gate
from assay.specs.pipeline import PipelineSpec
from assay.specs.rules import RAW_RULES

_PASSED = "raw rules"
"""The note of rows that passed: the digest of the rules."""
_SHOWN = 16


def run_raw_gate(
    dataset: Dataset, spec: PipelineSpec, *, where: str, partition: str = "", as_of: dt.datetime | None = None
) -> GateVerdict | None:
    """Judge the source's rows of one partition as `run_gate` does; None without such rules."""
    raw = spec.of_source_rows
    if raw is None:
        return None
    return run_gate(dataset, raw, where=where, partition=partition, as_of=as_of, rules=RAW_RULES.values())


def passed(dataset: Dataset, verdict: GateVerdict | None) -> Dataset:
    """Return rows that passed, with the note that says so."""
    if verdict is None:
        return dataset
    return replace(dataset, notes=dataset.notes | {_PASSED: f"passed, digest {verdict.receipt.rules_digest[:_SHOWN]}"})


def carried(made: Dataset, source: Dataset) -> Dataset:
    """Return what was made of a source's rows, with their note."""
    note = source.notes.get(_PASSED)
    return made if note is None else replace(made, notes=made.notes | {_PASSED: note})


def require_judged(dataset: Dataset, spec: PipelineSpec, *, where: str) -> None:
    """Refuse rows that were not judged by the rules of `validation.raw` as they are now.

    Raises:
        ReceiptMismatchError: they passed other rules, or none.
    """
    raw = spec.of_source_rows
    if raw is None:
        return
    expected, found = f"passed, digest {rules_digest(raw)[:_SHOWN]}", dataset.notes.get(_PASSED)
    if found != expected:
        raise ReceiptMismatchError(
            "the source's rows were not judged by the present rules of validation.raw",
            where=where,
            found=found or "rows that were made without such rules",
            expected=expected,
            remedy="materialise raw_dataset again, and what follows from it",
        )
