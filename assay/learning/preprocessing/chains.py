"""The transformers of one group of columns, as its step or list of steps names them."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from assay.data.schema import TableSchema
from assay.errors import SpecError, did_you_mean
from assay.importing import import_users_object, is_import_path
from assay.learning.preprocessing.known_steps import KNOWN_STEPS, require_step, unknown_argument
from assay.learning.preprocessing.step_context import StepContext, imported
from assay.specs.dataset import ColumnRole
from assay.specs.preprocessing import WITHOUT_FIT, ChainedStep, PreprocessingSpec, PreprocessingStep

_UNKNOWN = {"handle_unknown", "unknown_value"}
"""Parameters by which a step says itself what becomes of unknown categories."""


def build_chain(step: PreprocessingStep, features: TableSchema, context: StepContext, where: str) -> Any:
    """Build the transformers of a group: one, or a pipeline of several.

    Missing values are filled with the median before the first transformer that refuses them. A scaler alone also gets
    indicators of what was missing, as numbers without a step do.
    """
    from sklearn.pipeline import Pipeline

    chain = step.chain
    if chain[0].step in WITHOUT_FIT:
        if chain[0].parameters:
            raise SpecError(f"'{chain[0].step}' takes no parameters", where=where, found=", ".join(chain[0].parameters))
        return chain[0].step
    texts = bool(set(step.columns) & set(features.with_role(ColumnRole.CATEGORICAL)))
    arguments = [_arguments(step, position, texts=texts) for position in range(len(chain))]
    built = [_built(each, given, context, where) for each, given in zip(chain, arguments, strict=True)]
    to_fill = _unfilled(chain, context)
    if len(built) == 1 and to_fill is None:
        return built[0]
    if len(built) == 1 and KNOWN_STEPS[chain[0].step].needs_values == "one_hot":
        return context.imputed("median", built[0])
    named = list(zip(step.keys, built, strict=True))
    if to_fill is not None:
        named.insert(to_fill, ("filled", context.filled("median")))
    return Pipeline(named)


def _unfilled(chain: Sequence[ChainedStep], context: StepContext) -> int | None:
    """Return the position of the first transformer that refuses missing values and may get some; None without."""
    for position, each in enumerate(chain):
        known = KNOWN_STEPS.get(each.step)
        if known is None or known.fills or each.step.endswith("_encoder"):
            return None
        if known.wants_filled(context.encoding):
            return position
    return None


def _arguments(step: PreprocessingStep, position: int, *, texts: bool) -> dict[str, Any]:
    """Return the constructor arguments of a transformer that depend on its place and columns, and the user's own."""
    each, further = step.chain[position], dict[str, Any]()
    if each.step == "impute" and texts and position == 0:
        further = {"strategy": "most_frequent", "missing_values": None}
    if each.step == "one_hot_encoder" and position + 1 < len(step.chain):
        further = {"sparse_output": False}
    if position == 0 and step.by:
        further |= {"by": list(step.by)}
    return further | each.parameters


def _built(each: ChainedStep, given: dict[str, Any], context: StepContext, where: str) -> Any:
    cls = _transformer_class(each.step, where)
    arguments = context.defaults(each.step) | _seed_argument(cls, context.seed) | given
    transformer = _constructed(cls, arguments, where)
    if each.step == "ordinal_encoder" and not _UNKNOWN & each.parameters.keys():
        return context.pooling(transformer)
    return transformer


def base_values(preparation: PreprocessingSpec, keys: Iterable[str]) -> dict[str, Any]:
    """Return the value that parameters of transformers have before a search: the file's, else the constructor's."""
    written = {key: value for key, value, _ in preparation.written()}
    found: dict[str, Any] = {}
    for key in keys:
        chained = preparation.chained(key)
        if key in written or chained is None:
            found[key] = written.get(key)
            continue
        known = inspect.signature(_transformer_class(chained[0].step, "tuning.search_space")).parameters
        default = known[chained[1]].default if chained[1] in known else inspect.Parameter.empty
        if default is not inspect.Parameter.empty:
            found[key] = default
    return found


def unknown_parameter(preparation: PreprocessingSpec, key: str) -> SpecError | None:
    """Return the error of a name of a search space that means no transformer's parameter; None if it means one.

    Of a transformer by import path any parameter passes: its module is not imported here.
    """
    chained = preparation.chained(key)
    if chained is None:
        known = [f"steps.{name}" for name in preparation.transformers]
        return SpecError(
            f"no step of preprocessing is meant by '{key}'{did_you_mean(key.rpartition('.')[0], known)}",
            expected=f"a parameter of one of {', '.join(known)}"
            if known
            else "no name of a step, as the pipeline has no steps",
            remedy="correct it to steps.<group>.<transformer>.<parameter>",
        )
    step, parameter = chained
    if is_import_path(step.step):
        return None
    takes = KNOWN_STEPS[step.step].parameters if step.step in KNOWN_STEPS else ()
    return None if parameter in takes else unknown_argument(step.step, parameter, takes)


def _transformer_class(name: str, where: str) -> Any:
    if not is_import_path(name):
        require_step(name, where)
        return imported(name)
    cls = import_users_object(name, where=where)
    missing = [method for method in ("fit", "transform", "get_params") if not callable(getattr(cls, method, None))]
    if missing:
        raise SpecError(f"'{name}' is no transformer", where=where, found=f"missing: {', '.join(missing)}")
    return cls


def _seed_argument(cls: Any, seed: int) -> dict[str, int]:
    # TargetEncoder still accepts the argument and warns; its seed is in `cv`
    known = inspect.signature(cls).parameters
    return {"random_state": seed} if "random_state" in known and "cv" not in known else {}


def _constructed(cls: Any, arguments: Mapping[str, Any], where: str) -> Any:
    try:
        transformer = cls(**arguments)
        if hasattr(transformer, "_parameter_constraints"):  # scikit-learn itself checks at fit only
            transformer._validate_params()
    except Exception as error:  # a constructor of the user's own may raise anything
        known = [name for name in inspect.signature(cls).parameters if name not in {"args", "kwargs"}]
        strays = [name for name in arguments if name not in known]
        hint = did_you_mean(strays[0], known) if strays else ""
        raise SpecError(
            f"the step refuses its parameters{hint}",
            where=where,
            found=str(error),
            expected=f"parameters among {', '.join(known)}" if strays else "",
        ) from error
    return transformer
