"""The fitted steps of `features` as a pipeline file has them: what cannot be fitted, and what may be dropped."""

from collections.abc import Iterator, Sequence
from typing import Any

from assay.data.schema import TableSchema
from assay.errors import AssayError, SpecError, did_you_mean
from assay.features.dropped_rows import StepCount, require_enough
from assay.specs.base import Location
from assay.specs.dataset import ColumnRole
from assay.specs.features import FeaturesSpec, FeatureStep
from assay.specs.pipeline import PipelineSpec
from assay.specs.tuning import SearchParameter

_NUMBERS = frozenset({ColumnRole.NUMERIC})
_WITH_MODE = _NUMBERS | {ColumnRole.BOOLEAN, ColumnRole.CATEGORICAL}


def steps_to_fit(features: FeaturesSpec) -> list[dict[str, Any]]:
    """Return the fitted steps as plain values, which are stored with the model."""
    return [
        {
            "kind": step.kind,
            "title": features.title(number),
            "columns": {
                name: each.model_dump(mode="json", exclude_defaults=True)
                for name, each in getattr(step, step.kind).items()
            },
        }
        for number, step in features.fitted.items()
    ]


def unknown_fitted(features: FeaturesSpec | None, key: str, ranged: SearchParameter) -> SpecError | None:
    """Return what is wrong with a name of a search space that begins as those of fitted steps, or with its range."""
    known = {name: value for name, value, _ in features.fitted_parameters()} if features is not None else {}
    if key not in known:
        return SpecError(
            f"no fitted step of features is meant by '{key}'{did_you_mean(key, known)}",
            expected=f"one of {', '.join(known)}" if known else "no such name: no step is fitted on the training rows",
            remedy="correct it to features.<step>.<column>.<parameter>",
        )
    ends = ranged.choices if ranged.type == "categorical" else (ranged.low, ranged.high)
    try:
        for value in ends or ():
            features.with_fitted({key: value}) if features is not None else None
    except ValueError as error:
        return SpecError(f"'{key}' cannot have every value of its range", found=str(error).replace("\n", " ")[:200])
    return None


def unfit_columns(spec: PipelineSpec, schema: TableSchema) -> Iterator[tuple[Location, AssayError]]:
    """Yield the columns of a schema on which a fitted step cannot be fitted, by their role.

    The role of a column without dtype is known only where the file declares it.
    """
    declared = {name for name, each in spec.dataset.columns.items() if each.role is not None}
    known = {each.name: each.role for each in schema.columns if each.dtype != "null" or each.name in declared}
    for number, step in spec.features.fitted.items() if spec.features is not None else ():
        for (kind, name, *below), _ in step.fitted_columns:
            location: Location = ("features", "steps", number, kind, name)
            if below or name not in known or is_target_of_outliers(spec, location):
                continue
            roles, needed = _fitting(step, str(name))
            if known[str(name)] not in roles:
                error = SpecError(
                    f"{kind} cannot be fitted on '{name}'",
                    found=f"its role is {known[str(name)]}",
                    expected=needed,
                    remedy="name another column, or give this one such a role in dataset.columns",
                )
                yield location, error


def is_target_of_outliers(spec: PipelineSpec, location: Location) -> bool:
    """Whether a location in the file names the target among `outliers`, which may drop rows by it."""
    if spec.features is None or location[:2] != ("features", "steps") or location[3:4] != ("outliers",):
        return False
    return location[4] == spec.dataset.target and not spec.task.is_classification


def _fitting(step: FeatureStep, name: str) -> tuple[frozenset[ColumnRole], str]:
    """Return the roles that a column of a step may have, and how they are called."""
    asked = (step.fill or {}).get(name)
    if getattr(asked, "strategy", None) == "most_frequent":
        return _WITH_MODE, "numbers, truth values or categories"
    return _NUMBERS, "numbers" + ("; `most_frequent` also fills truth values and categories" if step.fill else "")


def require_kept(dropped: Sequence[dict[str, Any]], spec: PipelineSpec) -> None:
    """Refuse training rows of which outliers drop more than the file allows.

    Args:
        dropped: as `FittedSteps.dropped_`.
        spec: the pipeline.

    Raises:
        FeatureStepError: a step drops a larger share than its `max_dropped`.
    """
    if spec.features is None:
        return
    counts = [StepCount(each["step"], each["column"], each["rows_in"], each["dropped"]) for each in dropped]
    # the bound of all steps is of the rows of a partition
    features = spec.features.model_copy(update={"max_dropped": None})
    require_enough(features, counts, 0, f"pipeline {spec.name}, training rows")
