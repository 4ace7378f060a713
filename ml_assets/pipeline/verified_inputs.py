"""From validated partitions to training and holdout rows, always through the gate's receipt.

Every asset that learns, evaluates or promotes calls `verified_split`; none splits `validated_dataset` otherwise.
"""

from collections.abc import Mapping

import dagster as dg

from assay.data.dataset import ValidatedDataset, require_passed
from assay.gate.gate import rules_digest
from assay.learning.splitting import Split, split_window
from assay.specs import PipelineSpec
from assay.specs.base import digest_of
from ml_assets.pipeline.partitions import window_mapping
from ml_assets.pipeline.run_context import asset_key

_MOST_BYTES_KEPT = 128 << 20


class _NewestSplit:
    """Keeps the newest split, by the content of its rows and everything else that determines it."""

    def __init__(self) -> None:
        self._newest: tuple[str, Split] | None = None

    def once(self, window: Mapping[str, ValidatedDataset], spec: PipelineSpec) -> Split:
        key = digest_of(
            spec, {name: [rows.fingerprint.digest, rows.schema.identity()] for name, rows in window.items()}
        )
        known = self._newest
        if known is not None and known[0] == key:
            return known[1]
        split = split_window(window, spec)
        small = sum(rows.table.nbytes for rows in window.values()) <= _MOST_BYTES_KEPT
        self._newest = (key, split) if small else None
        return split


_SPLITS = _NewestSplit()


def window_input(spec: PipelineSpec) -> dg.AssetIn:
    """Return the input that reads the validated partitions of one model."""
    return dg.AssetIn(key=asset_key(spec, "validated_dataset"), partition_mapping=window_mapping(spec))


def verified_split(
    window: Mapping[str, ValidatedDataset], spec: PipelineSpec, context: dg.AssetExecutionContext
) -> Split:
    """Verify every partition's receipt, then split the rows.

    The newest small split is kept in the process, so that the steps of one run split once; nothing that reads a split
    changes its frames.

    Raises:
        GateError: a partition is not covered by a passing receipt.
    """
    for partition, dataset in window.items():
        require_receipt(dataset, spec, partition)
    split = _SPLITS.once(window, spec)
    context.log.debug("learning from %s rows, holdout %s rows", len(split.train.target), len(split.holdout.target))
    return split


def require_receipt(dataset: ValidatedDataset, spec: PipelineSpec, partition: str | None) -> None:
    """Verify one partition's receipt.

    Raises:
        GateError: it does not cover these rows under these rules, or does not say that they passed.
    """
    require_passed(
        dataset.receipt,
        data_digest=dataset.fingerprint.digest,
        rules_digest=rules_digest(spec),
        where=f"{spec.name}/validated_dataset" + (f", partition {partition}" if partition else ""),
    )
