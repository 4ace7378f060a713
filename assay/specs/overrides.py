"""Parameters of one run, laid over a pipeline's file.

Does not belong here: how a run hands them over (run config, flags).
"""

import json
from typing import Any

from pydantic import Field, JsonValue, ValidationError

from assay.errors import SpecError
from assay.specs.base import Spec
from assay.specs.loading import explain
from assay.specs.pipeline import PipelineSpec


class RunOverrides(Spec):
    """What one run may change; what is not set stays as the file says."""

    data_source: str | None = None
    """Where the rows come from, in place of `dataset.source`."""
    data_format: str | None = None
    """In place of `dataset.format`."""
    input_schema_version: int | None = None
    """In place of `dataset.schema_version`."""
    target_column: str | None = None
    """In place of `dataset.target`."""
    data_validation: dict[str, JsonValue] = Field(default_factory=dict)
    """Laid over `validation`, key by key."""
    model_name: str | None = None
    """The only candidate: a family name or import path."""
    model_version: str | None = None
    """In place of `model.version`."""
    hyperparameters: dict[str, JsonValue] = Field(default_factory=dict)
    """Laid over `model.hyperparameters`, key by key."""
    tuning: dict[str, JsonValue] = Field(default_factory=dict)
    """Laid over `tuning`, key by key: enabled, n_trials, timeout, search_space, folds."""
    training_scenario: str | None = None
    """`full` or `incremental`."""
    test_size: float | None = None
    """In place of `split.test_size`."""
    random_state: int | None = None
    """Seed of split, search and fit."""
    target_output_path: str | None = None
    """Folder or `s3://` prefix to which the trained model is also exported."""

    @property
    def given(self) -> dict[str, Any]:
        """The parameters that are set."""
        return {name: value for name, value in self if value is not None and value != {}}


_PLACES: dict[str, tuple[tuple[str, ...], ...]] = {
    "data_source": (("dataset", "source"),),
    "data_format": (("dataset", "format"),),
    "input_schema_version": (("dataset", "schema_version"),),
    "target_column": (("dataset", "target"),),
    "data_validation": (("validation",),),
    "model_name": (("model", "candidates"),),
    "model_version": (("model", "version"),),
    "hyperparameters": (("model", "hyperparameters"),),
    "tuning": (("tuning",),),
    "training_scenario": (("training", "scenario"),),
    "test_size": (("split", "test_size"),),
    "random_state": (("split", "seed"), ("training", "seed")),
    "target_output_path": (("training", "target_output_path"),),
}


def apply_overrides(spec: PipelineSpec, overrides: RunOverrides) -> PipelineSpec:
    """Return the pipeline as one run sees it.

    Args:
        spec: the pipeline as its file says.
        overrides: the run's parameters.

    Returns:
        A new spec, validated as a whole.

    Raises:
        SpecError: a parameter is not acceptable.
    """
    document = laid_over(json.loads(spec.model_dump_json()), overrides)
    try:
        return PipelineSpec.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise _as_override_error(error, spec.name) from error


def laid_over(document: dict[str, Any], overrides: RunOverrides) -> dict[str, Any]:
    """Return a pipeline as JSON-able values with one run's parameters in their places.

    Args:
        document: a pipeline's values; it is changed.
        overrides: the run's parameters.
    """
    for name, value in overrides.given.items():
        for *path, last in _PLACES[name]:
            holder = document
            for part in path:
                holder = holder.setdefault(part, {})
            if name == "model_name":
                holder[last] = [value]
            elif isinstance(value, dict):
                holder[last] = holder.get(last, {}) | value
            else:
                holder[last] = value
    return document


def _as_override_error(error: ValidationError, pipeline: str) -> SpecError:
    problem = error.errors(include_url=False)[0]
    what, found, expected, remedy = explain(problem)
    place = ".".join(str(part) for part in problem["loc"])
    return SpecError(
        f"a run parameter is not acceptable: {what}",
        where=f"run config of pipeline {pipeline}, {place}",
        found=found,
        expected=expected,
        remedy=remedy,
    )
