"""What an asset's body needs to know of the step it runs in.

Does not belong here: resources, domain calls.
"""

import dagster as dg

from assay.specs import PipelineSpec


def partition_of(context: dg.AssetExecutionContext) -> str | None:
    """Return the step's partition key; None without partitions."""
    return context.partition_key if context.has_partition_key else None


def place_of(context: dg.AssetExecutionContext) -> str:
    """Return asset and partition as people read them."""
    partition = partition_of(context)
    asset = context.asset_key.to_user_string()
    return f"{asset}, partition {partition}" if partition else asset


def asset_key(spec: PipelineSpec, name: str) -> dg.AssetKey:
    """Return the key of one of a pipeline's assets."""
    return dg.AssetKey([spec.name, name])
