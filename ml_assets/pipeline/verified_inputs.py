"""The way from stored partitions to rows one may learn from: through the receipt, always.

Every asset that learns, judges or promotes calls `verified_split`; none reads `validated_dataset` otherwise.
"""

import dagster as dg

from assay.data.dataset import ValidatedDataset, require_passed
from assay.gate.rules_identity import rules_digest
from assay.learning.splitting import Split, split_window
from assay.specs import PipelineSpec
from ml_assets.pipeline.partitions import window_mapping
from ml_assets.pipeline.run_context import asset_key


def window_input(spec: PipelineSpec) -> dg.AssetIn:
    """Return the input that reads the validated partitions of one model."""
    return dg.AssetIn(key=asset_key(spec, "validated_dataset"), partition_mapping=window_mapping(spec))


def verified_split(window: dict[str, ValidatedDataset], spec: PipelineSpec, context: dg.AssetExecutionContext) -> Split:
    """Verify every partition's receipt, then split the rows.

    Args:
        window: validated rows by partition key; their fingerprints were computed while they were read.
        spec: the pipeline as this run sees it.
        context: the step, for its log.

    Returns:
        Training and holdout rows.

    Raises:
        GateError: a partition is not covered by a passing receipt.
    """
    for partition, dataset in window.items():
        require_receipt(dataset, spec, partition)
    split = split_window(window, spec)
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
