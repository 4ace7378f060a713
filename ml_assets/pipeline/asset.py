"""The decorator of a pipeline's assets: `dagster.asset` with all that follows from the pipeline.

Code versions: what, beside its inputs, decides an asset's value.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeAlias

import dagster as dg

from assay import __version__
from assay.specs import PipelineSpec
from assay.specs.base import digest_of
from ml_assets.pipeline.partitions import partitions_of
from ml_assets.pipeline.ranges import each_partition, lazy_inputs
from ml_assets.pipeline.run_context import asset_key
from ml_assets.supervision.step import Body, policy_tags, supervised_body

_SLICES: dict[str, tuple[str, ...]] = {
    "raw_dataset": ("dataset",),
    "validated_dataset": ("task", "dataset", "validation"),
    "best_hyperparameters": (
        "task", "dataset", "split", "preprocessing", "model", "tuning", "training", "evaluation",
    ),
    "trained_model": ("task", "dataset", "split", "preprocessing", "model", "training"),
    "evaluation_report": ("task", "dataset", "split", "evaluation"),
    "backtest_report": ("task", "dataset", "split", "evaluation", "promotion"),
    "champion_model": ("task", "dataset", "split", "model", "evaluation", "promotion"),
    "batch_predictions": ("task", "dataset", "model", "scoring"),
    "drift_report": ("task", "dataset", "model", "monitoring"),
    "performance_report": ("task", "dataset", "model", "evaluation", "monitoring"),
}  # fmt: skip
_LOCK = Path(__file__).resolve().parent.parent.parent / "uv.lock"


def code_version(spec: PipelineSpec, asset: str) -> str:
    """Return the version of the code and settings behind one asset.

    Args:
        spec: the pipeline.
        asset: last component of the asset key.

    Returns:
        16 hex digits over the spec's slice, the package version and the lock file.
    """
    document = spec.model_dump(mode="json")
    return digest_of({part: document[part] for part in _SLICES[asset]}, __version__, _lock_digest())[:16]


@cache
def _lock_digest() -> str:
    return digest_of(_LOCK.read_text(encoding="utf-8")) if _LOCK.exists() else "unlocked"


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
