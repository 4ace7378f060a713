"""The source's rows of earlier partitions, which a feature set's windows see: as they are stored when it is made.

Dagster knows the dependency by the input's mapping. The rows are read by the asset itself, since only the steps know
which columns they need, and a partition that was not made is counted and does not fail the input.
"""

from collections.abc import Callable

import dagster as dg
import pyarrow as pa

from assay.data.dataset import Dataset
from assay.features.history import EarlierPartitions
from assay.gate.raw_rules import require_judged
from assay.specs import PipelineSpec
from ml_assets.dagster_internals import step_of
from ml_assets.pipeline.partitions import earlier_mapping
from ml_assets.pipeline.run_context import asset_key, location_of
from resources.artifacts.io_manager import OWN_PARTITION, ArtifactIOManager

_SOURCE_ROWS = "raw_dataset"


def source_rows_input(spec: PipelineSpec) -> dg.AssetIn:
    """Return the input of the source's rows: of the same partition, with the earlier ones as dependencies.

    Where a condition requests the source's rows, it requests this asset with them: of the same partition alone, which
    Dagster finds by the mapping.
    """
    requested = spec.dataset.reference is not None and spec.automation.scans_source
    mapping = None if requested else earlier_mapping(spec)
    metadata = None if mapping is None else OWN_PARTITION
    return dg.AssetIn(key=asset_key(spec, _SOURCE_ROWS), partition_mapping=mapping, metadata=metadata)


def earlier_partitions(
    context: dg.AssetExecutionContext, spec: PipelineSpec, artifacts: ArtifactIOManager, key: str | None
) -> EarlierPartitions | None:
    """Return what reads the newest source rows of earlier partitions, and notes their versions as read by the step.

    Args:
        context: of the step.
        spec: the pipeline.
        artifacts: the store.
        key: the partition that is made; None of rows that are only predicted.
    """
    if earlier_mapping(spec) is None:
        return None
    store = artifacts.artifacts()

    def read(earlier: str, is_wanted: Callable[[str], bool]) -> pa.Table | None:
        commit = store.log.newest((spec.name, _SOURCE_ROWS), earlier)
        if commit is None or commit.status == "rejected" or commit.fingerprint is None:
            return None
        columns = [name for name in commit.fingerprint.columns if is_wanted(name)]
        rows = store.read(commit, Dataset, columns)
        require_judged(rows, spec, where=f"{location_of(context)}, earlier partition {earlier}")
        artifacts.add_version(context.run.run_id, step_of(context).key, commit)
        return rows.table

    return EarlierPartitions(key, read)
