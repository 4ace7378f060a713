"""The declaration of a pipeline's asset, and the decorator that turns a function into that asset."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from types import MappingProxyType
from typing import Any, TypeAlias, get_args, get_origin

import dagster as dg

from assay.markdown import escaped
from assay.specs import PipelineSpec
from ml_assets.console_lines import shorten_console
from ml_assets.pipeline.code_version import code_version
from ml_assets.pipeline.experiments import observed_in_experiments
from ml_assets.pipeline.partitions import partitions_of
from ml_assets.pipeline.ranges import each_partition, lazy_inputs
from ml_assets.pipeline.run_context import asset_key
from ml_assets.pipeline.run_parameters import RunParameters
from ml_assets.pipeline.upstream import kind_of
from ml_assets.step_containers import container_tags
from ml_assets.supervision.devices import on_devices
from ml_assets.supervision.step import Body, policy_tags, supervised_body
from resources.artifacts.io_manager import value_metadata
from resources.run_policy import RunPolicy

Decorator: TypeAlias = Callable[[Body], dg.AssetsDefinition]
_RUN_SPEC = "run_spec"


class Phase(Enum):
    """Which of the pipeline's jobs make an asset."""

    INGESTION = "ingestion"
    """Both jobs: ingesting and retraining."""
    LEARNING = "learning"
    """The retraining job; after an alarm these assets alone."""
    AFTER = "after"
    """No job: conditions or people request it."""


def _always(_spec: PipelineSpec) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Stage:
    """The declaration of one asset of every pipeline.

    Attributes:
        name: last component of the asset key.
        build: builds the asset of one pipeline.
        tag: value of the tag `stage`; the group is the pipeline, so that the UI draws each model on its own.
        kinds: labels that the UI draws.
        spec_parts: parts of the pipeline file that its value depends on, beside its inputs.
        verdict_parts: further parts that decide only whether the value is published.
        phase: which jobs make it.
        wanted: whether a pipeline has it.
        pooled: whether its step takes a slot of the pipeline's concurrency pool.
        alarm: name in `automation.retrain_on` of the alarm that it raises.
    """

    name: str
    build: "Callable[[PipelineSpec, Stage], dg.AssetsDefinition]"
    tag: str
    kinds: frozenset[str]
    spec_parts: tuple[str, ...]
    phase: Phase = Phase.AFTER
    wanted: Callable[[PipelineSpec], bool] = _always
    pooled: bool = False
    alarm: str = ""
    verdict_parts: tuple[str, ...] = ()

    @property
    def is_general(self) -> bool:
        """Whether every pipeline has it."""
        return self.wanted is _always

    @property
    def alarm_check(self) -> str:
        """Name of the check that fails where the stage's alarm begins or begins again, and in no other window."""
        return f"no_{self.alarm}_alarm_begins"

    @property
    def training_check(self) -> str:
        """Name of the check that fails in the window whose training answers the stage's alarm, and in no other."""
        return f"no_training_due_by_{self.alarm}"

    def code_version(self, spec: PipelineSpec) -> str:
        """Return the digests of the asset's parts of the spec, the user's own code, package version and lock file."""
        return code_version(spec, (*self.spec_parts, *self.verdict_parts))


def pipeline_asset(  # noqa: PLR0913 - what Dagster wants to know of an asset
    spec: PipelineSpec,
    stage: Stage,
    *,
    description: str,
    ins: Mapping[str, dg.AssetIn] | None = None,
    checks: Sequence[dg.AssetCheckSpec] = (),
    output_required: bool = True,
    reads_all: Sequence[str] = (),
    reads_same: Sequence[str] = (),
    reads_others: Sequence[dg.AssetDep] = (),
    value: type[Any] | None = None,
    upstream: Mapping[str, dg.AssetIn] = MappingProxyType({}),
    automation_condition: dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey] | None = None,
    partitions: dg.PartitionsDefinition[str] | None = None,
    whole: bool = False,
) -> Decorator:
    """Return the decorator that makes a function the asset `<pipeline>/<stage.name>`.

    The function's parameter `run_spec` receives the pipeline with the run's parameters applied.

    Args:
        spec: the pipeline.
        stage: the asset's declaration.
        description: shown in the UI.
        ins: inputs that are not the same pipeline's asset of the parameter's name.
        checks: checks that the function itself yields.
        output_required: whether the function must end with an output.
        reads_all: assets of the pipeline of which the function reads all partitions; the asset has none itself then,
            unless `reads_same` names others.
        reads_same: assets of the pipeline of which the function reads the same partition, without taking it as a value.
        reads_others: assets of others that the function reads by itself, in the store.
        value: type of its values, where the function's annotation does not say it.
        upstream: inputs of other pipelines and of users' own; the function takes them as keywords, by their names.
        automation_condition: when a run of the asset is requested automatically.
        partitions: of an asset that does not have the pipeline's.
        whole: whether the asset has no partitions, though it reads none of the pipeline's assets.
    """
    reads = {**(ins or {}), **upstream}

    def decorate(body: Body) -> dg.AssetsDefinition:
        pool = spec.execution.pool_of(stage.name, learns=stage.pooled)
        step = supervised_body(observed_in_experiments(each_partition(body, reads)))
        name_keywords(body, {name: kind_of(each) for name, each in upstream.items()})
        return dg.asset(
            key=asset_key(spec, stage.name),
            group_name=spec.name,
            kinds=set(stage.kinds),
            description=f"{description}\n\n{escaped(spec.description)}" if spec.description else description,
            owners=list(spec.owners),
            tags={"pipeline": spec.name, "task": str(spec.task), "stage": stage.tag},
            partitions_def=None if whole or (reads_all and not reads_same) else partitions or partitions_of(spec),
            deps=[
                *(dg.AssetDep(asset_key(spec, each), partition_mapping=dg.AllPartitionMapping()) for each in reads_all),
                *(dg.AssetDep(asset_key(spec, each)) for each in reads_same),
                *reads_others,
            ],
            backfill_policy=dg.BackfillPolicy.single_run(),
            automation_condition=automation_condition,
            code_version=stage.code_version(spec),
            io_manager_key="artifact_io_manager",
            ins=lazy_inputs(body, reads),
            check_specs=list(checks),
            pool=pool,
            output_required=output_required,
            metadata=value_metadata(value or _type_of_output(inspect.signature(body).return_annotation)),
            op_tags={
                **policy_tags(spec.execution.of_step(stage.name)),
                **container_tags(spec.execution.container_of(stage.name), pool),
            },
        )(with_run_parameters(spec, body, on_devices(step, pool, spec.execution.slots_of(stage.name))))

    return decorate


def with_run_parameters(spec: PipelineSpec, body: Body, step: Body) -> Body:
    """Return the function that Dagster calls: it takes run parameters where the body takes the spec of the run."""

    @wraps(body)
    def op(
        context: dg.AssetExecutionContext, run_parameters: RunParameters, run_policy: RunPolicy, **arguments: Any
    ) -> Any:
        applied = run_parameters.applied_to(spec, context, run_policy)
        shorten_console(context.log)
        return step(context, **{_RUN_SPEC: applied}, **arguments)

    # no return annotation: the output of a range run is no value of the body's type
    parameters = [
        each.replace(name="run_parameters", annotation=RunParameters) if each.name == _RUN_SPEC else each
        for each in inspect.signature(body).parameters.values()
    ]
    parameters.append(
        inspect.Parameter("run_policy", inspect.Parameter.KEYWORD_ONLY, annotation=dg.ResourceParam[RunPolicy])
    )
    op.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    op.__annotations__ = {each.name: each.annotation for each in parameters}
    return op


def _type_of_output(annotation: Any) -> Any:
    """Return `X` of an annotation such as `dg.Output[X]` or `Iterator[dg.Output[X] | dg.AssetCheckResult]`."""
    if get_origin(annotation) is dg.Output:
        return get_args(annotation)[0]
    return next(filter(None, map(_type_of_output, get_args(annotation))), None)


def name_keywords(body: Body, kinds: Mapping[str, Any]) -> None:
    """Give the signature of a function parameters of its own in place of `**keywords`."""
    signature = inspect.signature(body)
    others = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    by_name = inspect.Parameter.POSITIONAL_OR_KEYWORD  # Dagster takes no keyword-only inputs
    named = [inspect.Parameter(name, by_name, annotation=kind) for name, kind in kinds.items()]
    body.__signature__ = signature.replace(parameters=[*others, *named])  # type: ignore[attr-defined]
    body.__annotations__ |= kinds


def own_input(spec: PipelineSpec, name: str) -> dg.AssetIn:
    """Return the input that reads the same partition of one of the pipeline's assets."""
    return dg.AssetIn(key=asset_key(spec, name))
