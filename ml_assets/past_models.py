"""What a pipeline has published for each partition in the past, one window in memory at a time.

Does not belong here: the replay (`assay.backtesting`).
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from assay.backtesting.walk_forward import AsOf, newest_row
from assay.evaluation.report import EvaluationReport
from assay.specs import PipelineSpec
from assay.tables.dataset import ValidatedDataset
from assay.training.trained_model import TrainedModel
from ml_assets.gated_window import gated_split
from ml_assets.partitions import partitions_of, upstream_keys, window_mapping
from ml_assets.run_context import asset_key
from resources.artifact_store import ArtifactStore
from resources.partitioned_input import HeldWindow


def past_models(context: dg.AssetExecutionContext, spec: PipelineSpec, artifacts: ArtifactStore) -> Iterator[AsOf]:
    """Yield every model that was judged, oldest first, with the rows of its window.

    Args:
        context: of the step.
        spec: the pipeline as this run sees it, split by time.
        artifacts: where the models are.

    Raises:
        GateError: a partition of a window is not covered by a passing receipt.
        ArtifactNotFoundError: a window's rows or a model's judgement are missing.
    """
    partitions = partitions_of(spec)
    if partitions is None:
        return
    rows = _rows(spec, artifacts)
    for key in sorted(context.instance.get_materialized_partitions(asset_key(spec, "evaluation_report"))):
        window = rows.of(upstream_keys(window_mapping(spec), partitions, key))
        yield AsOf(
            partition=key,
            model=artifacts.load((spec.name, "trained_model"), key, TrainedModel),
            report=artifacts.load((spec.name, "evaluation_report"), key, EvaluationReport),
            split=gated_split(window, spec, context),
            newest_training_row=newest_row(
                (dataset for name, dataset in window.items() if name != key), spec.dataset.partitions.column
            ),
        )


def _rows(spec: PipelineSpec, artifacts: ArtifactStore) -> HeldWindow:
    asset = (spec.name, "validated_dataset")

    def read(keys: Sequence[str]) -> dict[str, ValidatedDataset]:
        newest = artifacts.newest_of(asset, keys)
        return {str(key): artifacts.read(commit, ValidatedDataset) for key, commit in newest.items()}

    return HeldWindow(read)
