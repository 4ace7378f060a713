"""The parameters of one run, settable in the Launchpad and by `--config-json`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field, create_model

from assay.errors import SpecError
from assay.learning.known_names import require_known_names
from assay.specs import PipelineSpec, apply_overrides
from assay.specs.overrides import RUN_PARAMETERS, SPACE_PARAMETER, parse_overrides, space_of_run
from assay.specs.space import PRODUCTION, Space
from ml_assets.dagster_internals import assets_of_run, op_context_of, restore_check_outcomes
from resources.object_store import parameters_of
from resources.run_policy import RunPolicy

if TYPE_CHECKING:
    _Declared = dg.ConfigurableResource[None]
else:
    _Declared = create_model(
        "_Declared",
        __base__=dg.ConfigurableResource[None],
        **{
            name: (dict[str, Any], Field(default={}, description=parameter.help))
            if parameter.type is dict
            else (parameter.type | None, Field(default=None, description=parameter.help))
            for name, parameter in RUN_PARAMETERS.items()
        },
    )


class RunParameters(_Declared):
    """The parameters of `assay.specs.overrides` as a resource; every default is 'as the file says'."""

    space: str | None = Field(
        default=None,
        description="Where results live: the name of a space, or `production`, which the deployment must allow. A run "
        "with parameters has a space of its own unless this is set.",
    )

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Keep the outcomes of production's checks, which Dagster plans for an experiment as for any run."""
        run, instance = context.run, context.instance
        if run and instance and space_of_run(PRODUCTION, parameters_of(run.run_config)).experiment:
            restore_check_outcomes(instance, run.run_id)

    def applied_to(self, spec: PipelineSpec, context: dg.AssetExecutionContext, policy: RunPolicy) -> PipelineSpec:
        """Return the pipeline as this run sees it, in the run's space.

        Raises:
            AssayError: a parameter is not acceptable, a name in it is unknown, or the run spans several pipelines.
        """
        where = f"run config of pipeline {spec.name}"
        policy.require_config(context.run.run_config, where=where)
        _refuse_own_config(op_context_of(context), where)
        values = {name: getattr(self, name) for name in RUN_PARAMETERS}
        overrides = parse_overrides(values, where=where)
        space = _space_of(context, spec, policy, where=where)
        if not overrides.given:
            return spec.in_space(space)
        policy.require(overrides, spec, where=where)
        _require_one_pipeline(context)
        applied = apply_overrides(spec, overrides)
        require_known_names(applied, where=where, schemas=policy.schemas)
        return applied.in_space(space)


def _refuse_own_config(context: dg.OpExecutionContext, where: str) -> None:
    """Refuse config of the step itself: Dagster takes any, and nothing reads it."""
    given = context.op_config
    if given:
        raise SpecError(
            "a step of a pipeline takes no config of its own",
            where=f"{where}, ops.{context.op_handle.name}.config",
            found=", ".join(map(repr, given)) if isinstance(given, Mapping) else type(given).__name__,
            expected="the parameters of the run in resources.run_parameters.config",
            remedy="move it there",
        )


def _space_of(context: dg.AssetExecutionContext, spec: PipelineSpec, policy: RunPolicy, *, where: str) -> Space:
    """Return the run's space, as the resources find it.

    Raises:
        SpecError: its name is not acceptable, or the run may not work there.
    """
    parameters = parameters_of(context.run.run_config)
    space = space_of_run(spec.space, parameters)
    own = space_of_run(spec.space, {name: value for name, value in parameters.items() if name != SPACE_PARAMETER})
    policy.require_space(space, own, where=where)
    return space


def _require_one_pipeline(context: dg.AssetExecutionContext) -> None:
    pipelines = {key.path[0] for key in assets_of_run(context)}
    if len(pipelines) > 1:
        raise SpecError(
            "run parameters were given to a run of several pipelines",
            where="run config, resources.run_parameters",
            found=", ".join(sorted(pipelines)),
            expected="the assets of one pipeline",
            remedy="start one run for each pipeline",
        )
