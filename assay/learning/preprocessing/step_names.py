"""Names of preprocessing steps that cannot be right, found when a pipeline file is read; nothing is imported."""

from collections.abc import Iterator
from typing import Any

from assay.errors import AssayError, SpecError
from assay.importing import is_import_path
from assay.learning.preprocessing.chains import unknown_parameter
from assay.learning.preprocessing.fitted_columns import unknown_fitted
from assay.learning.preprocessing.known_steps import KNOWN_STEPS, require_step, unknown_argument, used_twice
from assay.specs.base import Location
from assay.specs.pipeline import PipelineSpec
from assay.specs.preprocessing import CATEGORIES, FITTED_PREFIX, PreprocessingSpec, PreprocessingStep, is_step_key
from assay.specs.tuning import SearchParameter


def step_errors(spec: PipelineSpec) -> Iterator[tuple[Location, AssayError]]:
    """Yield unknown steps and parameters, columns of which steps make the same, and searched names that mean none."""
    preparation = spec.preparation
    for number, step in enumerate(preparation.steps):
        yield from _transformer_errors(step, ("preprocessing", "steps", number))
    for number, place, first in preparation.collisions():
        column = preparation.steps[number].columns[place]
        yield ("preprocessing", "steps", number, "columns", place), used_twice(column, first)
    yield from _searched_step_errors(spec, preparation)


def _transformer_errors(step: PreprocessingStep, location: Location) -> Iterator[tuple[Location, AssayError]]:
    """Yield the unknown names of a group's transformers and of their parameters."""
    for position, each in enumerate(step.chain):
        single = isinstance(step.step, str)
        place: Location = (*location, "step") if single else (*location, "step", position)
        if is_import_path(each.step):
            continue
        try:
            require_step(each.step)
        except SpecError as error:
            yield place, error
            continue
        known = KNOWN_STEPS[each.step].parameters if each.step in KNOWN_STEPS else ()
        for name in each.parameters:
            if name not in known:
                named = (*(location if single else place), "parameters", name)
                yield named, unknown_argument(each.step, name, known)


def _searched_step_errors(spec: PipelineSpec, preparation: PreprocessingSpec) -> Iterator[tuple[Location, AssayError]]:
    for key, ranged in spec.tuning.asked_space.items():
        error = unknown_searched(spec, preparation, key, ranged) if is_step_key(key) else None
        if error is not None:
            yield ("tuning", "search_space", key), error
    for key, value in spec.model.hyperparameters.items():
        error = unknown_given(spec, key, value) if is_step_key(key) else None
        if error is not None:
            yield ("model", "hyperparameters", key), error
    yield from _crossed_quantiles(spec)


def unknown_given(spec: PipelineSpec, key: str, value: Any) -> SpecError | None:
    """Return the error of a name among hyperparameters that means nothing that prepares rows, or None."""
    return unknown_searched(spec, spec.preparation, key, SearchParameter(type="categorical", choices=(value,)))


def _crossed_quantiles(spec: PipelineSpec) -> Iterator[tuple[Location, AssayError]]:
    """Yield searched lower quantiles that may lie above the upper ones that are searched with them."""
    space = spec.tuning.asked_space
    for key, ranged in space.items():
        upper = space.get(f"{key.removesuffix('lower')}upper") if key.startswith(FITTED_PREFIX) else None
        if not key.endswith(".lower") or upper is None or ranged.high is None or upper.low is None:
            continue
        if ranged.high >= upper.low:
            what = f"the range of '{key}' reaches into that of the upper quantile"
            found = f"up to {ranged.high:g}, and from {upper.low:g} on"
            yield ("tuning", "search_space", key), SpecError(what, found=found, remedy="keep them apart")


def unknown_searched(
    spec: PipelineSpec, preparation: PreprocessingSpec, key: str, ranged: SearchParameter
) -> SpecError | None:
    """Return the error of a name of a search space that means nothing that prepares rows, or None."""
    if key == CATEGORIES:
        return None
    if key.startswith(FITTED_PREFIX):
        return unknown_fitted(spec.features, key, ranged)
    return unknown_parameter(preparation, key)
