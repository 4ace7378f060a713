"""The decorator of ops: each refuses run config that changes the deployment's resources before its body runs."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import dagster as dg

from resources.run_policy import RunPolicy


def guarded_op(*, description: str) -> Callable[[Callable[..., Any]], dg.OpDefinition]:
    """Return the decorator that makes a function an op; its first parameter is `context`.

    Args:
        description: shown in the UI.
    """

    def decorate(body: Callable[..., Any]) -> dg.OpDefinition:
        @wraps(body)
        def op(context: dg.OpExecutionContext, run_policy: RunPolicy, **arguments: Any) -> Any:
            run_policy.require_config(context.run.run_config, where=context.job_name)
            return body(context, **arguments)

        signature = inspect.signature(body)
        policy = inspect.Parameter("run_policy", inspect.Parameter.KEYWORD_ONLY, annotation=dg.ResourceParam[RunPolicy])
        declared = signature.replace(parameters=[*signature.parameters.values(), policy])
        op.__signature__ = declared  # type: ignore[attr-defined]
        op.__annotations__ = {each.name: each.annotation for each in declared.parameters.values()}
        op.__annotations__["return"] = declared.return_annotation
        return dg.op(description=description)(op)

    return decorate
