"""The decorator of a pipeline's assets: `dagster.asset` with all that follows from the pipeline.

Does not belong here: anything of a single stage.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import dagster as dg

from assay.specs import PipelineSpec
from ml_assets.partitions import partitions_of
from ml_assets.range_runs import each_partition, lazy_inputs
from ml_assets.run_context import asset_key
from ml_assets.supervision.body import Body, supervised_body
from ml_assets.supervision.step import policy_tags
from ml_assets.versions import code_version

Decorator: TypeAlias = Callable[[Body], dg.AssetsDefinition]


def pipeline_asset(  # noqa: PLR0913 - what Dagster wants to know of an asset
    spec: PipelineSpec,
    name: str,
    *,
    stage: str,
    kinds: set[str],
    description: str,
    ins: Mapping[str, dg.AssetIn] | None = None,
    checks: Sequence[dg.AssetCheckSpec] = (),
    pool: str | None = None,
    output_required: bool = True,
    reads_all: Sequence[str] = (),
    automation_condition: dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey] | None = None,
) -> Decorator:
    """Return the decorator that makes a function the asset `<pipeline>/<name>`.

    Args:
        spec: the pipeline.
        name: last component of the asset key.
        stage: lifecycle stage, a tag; the group is the pipeline, so that the UI draws each model on its own.
        kinds: labels that the UI draws.
        description: shown in the UI.
        ins: inputs that are not the same pipeline's asset of the parameter's name.
        checks: checks that the function itself yields.
        pool: the concurrency pool that the step takes a slot of.
        output_required: whether the function may end without an output.
        reads_all: assets of the pipeline of which the function reads all partitions; it has none itself then.
        automation_condition: when it is made without being asked for.
    """
    reads = dict(ins or {})

    def decorate(body: Body) -> dg.AssetsDefinition:
        return dg.asset(
            key=asset_key(spec, name),
            group_name=spec.name,
            kinds=kinds,
            description=description,
            owners=list(spec.owners),
            tags={"pipeline": spec.name, "task": str(spec.task), "stage": stage},
            partitions_def=None if reads_all else partitions_of(spec),
            deps=[dg.AssetDep(asset_key(spec, each), partition_mapping=dg.AllPartitionMapping()) for each in reads_all],
            backfill_policy=dg.BackfillPolicy.single_run(),
            automation_condition=automation_condition,
            code_version=code_version(spec, name),
            io_manager_key="artifact_io_manager",
            ins=lazy_inputs(body, reads),
            check_specs=list(checks),
            pool=pool,
            output_required=output_required,
            op_tags=policy_tags(spec.execution.of_step(name)),
        )(supervised_body(each_partition(body, reads)))

    return decorate


def own_input(spec: PipelineSpec, name: str) -> dg.AssetIn:
    """Return the input that reads the same partition of one of the pipeline's assets."""
    return dg.AssetIn(key=asset_key(spec, name))
