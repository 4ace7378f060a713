"""Which partitions of a range run a backfill was asked for.

Where raw data and models are chosen together, Dagster adds to a backfill the later partitions that would learn from
the chosen ones, whether or not their own rows are there yet.
Does not belong here: what becomes of such a partition (`ml_assets.range_runs`).
"""

import dagster as dg
from dagster._core.storage.tags import BACKFILL_ID_TAG


def added_by_dagster(context: dg.AssetExecutionContext) -> frozenset[str]:
    """Return the partitions of this step that the backfill does not make of an asset that the step reads.

    None where the backfill makes no such asset, and outside of a backfill.
    """
    name = context.run.tags.get(BACKFILL_ID_TAG)
    backfill = context.instance.get_backfill(name) if name else None
    if backfill is None or backfill.asset_backfill_data is None:
        return frozenset()
    targets = backfill.asset_backfill_data.target_subset.partitions_subsets_by_asset_key
    read = [set(targets[key].get_partition_keys()) for key in context.assets_def.dependency_keys if key in targets]
    return frozenset(context.partition_keys).difference(set.intersection(*read)) if read else frozenset()
