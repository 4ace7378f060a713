"""Which partitions of a range run a backfill was asked for.

Where raw data and models are chosen together, Dagster adds to a backfill the later partitions that would learn from
the chosen ones, whether or not their own rows are there yet.
Does not belong here: what becomes of such a partition (`ml_assets.range_runs`).
"""

import dagster as dg
from dagster._core.storage.tags import BACKFILL_ID_TAG


def added_by_dagster(context: dg.AssetExecutionContext) -> frozenset[str]:
    """Return the partitions of this step that nobody asked for; none outside of a backfill."""
    named = context.run.tags.get(BACKFILL_ID_TAG)
    backfill = context.instance.get_backfill(named) if named else None
    if backfill is None or backfill.partition_names is None:
        return frozenset()
    return frozenset(context.partition_keys) - frozenset(backfill.partition_names)
