"""What the definitions of all assets of a pipeline share.

Does not belong here: anything of a single stage.
"""

from typing import Any

from assay.specs import PipelineSpec
from ml_assets.partitions import partitions_of
from ml_assets.run_context import asset_key
from ml_assets.versions import code_version


def asset_settings(spec: PipelineSpec, name: str, *, group: str, kinds: set[str]) -> dict[str, Any]:
    """Return the keyword arguments of `dagster.asset` that follow from the pipeline.

    Args:
        spec: the pipeline.
        name: last component of the asset key.
        group: lifecycle stage.
        kinds: labels that the UI draws.
    """
    return {
        "key": asset_key(spec, name),
        "group_name": group,
        "kinds": kinds,
        "owners": list(spec.owners),
        "tags": {"pipeline": spec.name, "task": str(spec.task)},
        "partitions_def": partitions_of(spec),
        "code_version": code_version(spec, name),
        "io_manager_key": "artifact_io_manager",
    }
