"""Run parameters: what one run may change in its pipeline file, declared once.

`RunOverrides` declares each parameter: its name, its type, its description and, by `Overrides`, the fields of the
pipeline that it replaces. `RUN_PARAMETERS` is the same as data, in order, with the choices, bounds and default of the
replaced field. Dagster's run config, the shell's flags and the docs derive from it:

    parameter = RUN_PARAMETERS["test_size"]
    parser.add_argument("--test-size", type=parameter.type, help=parameter.help)
    overrides = parse_overrides({"test_size": 0.3}, where="the flags")
    spec = apply_overrides(spec, overrides)

`apply_overrides` validates the whole pipeline. `parameter_at` names the parameter that a complaint is about.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias, cast, get_args, get_origin

from pydantic import ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from assay.errors import SpecError
from assay.specs.base import Spec, digest_of
from assay.specs.complaints import explain
from assay.specs.payloads import HOW_FILES_ARE_READ, own_spelling
from assay.specs.pipeline import PipelineSpec
from assay.specs.space import DIGITS, PRODUCTION, Space

Location: TypeAlias = tuple[str, ...]
SPACE_PARAMETER = "space"
"""Run parameter that names the space of a run; the pipeline itself stays as it is."""
PRODUCTION_NAME = "production"
_SPACE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_DATA_PARTS = {"dataset", "validation", "task"}
_SPLIT = ("split",)
_BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


@dataclass(frozen=True, slots=True)
class Overrides:
    """The fields of a pipeline that a parameter replaces, each as a dotted location.

    Attributes:
        fields: the locations.
        levels: how deep a mapping is merged into the field: 1 replaces the values of its keys.
        keys: of the field's mapping, which may be given; any unless set.
    """

    fields: tuple[str, ...]
    levels: int
    keys: tuple[str, ...]

    def __init__(self, *fields: str, levels: int = 1, keys: tuple[str, ...] = ()) -> None:
        object.__setattr__(self, "fields", fields)
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "keys", keys)


class RunOverrides(Spec):
    """The parameters of one run; what is not set stays as the file says. Mappings are merged key by key."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    data_source: Annotated[str | None, Overrides("dataset.source")] = None
    """Address of the rows: a path, folder or glob, `s3://`, `https://`, `sql://`, `sqlite://`, `duckdb://`, `demo://`."""
    data_format: Annotated[str | None, Overrides("dataset.format")] = None
    """Format of the data; `auto` goes by the file's name."""
    ingestion_config: Annotated[dict[str, JsonValue], Overrides("dataset", levels=3, keys=HOW_FILES_ARE_READ)] = Field(
        default_factory=dict
    )
    """How files are read: format, member, sheet, orient, dialect, columns, limits, max_rows; or `object_storage`, an
    object's bucket and object_key."""
    dialect: Annotated[dict[str, JsonValue], Overrides("dataset.dialect")] = Field(default_factory=dict)
    """How delimited text is written, such as {"delimiter": ";"}."""
    columns: Annotated[dict[str, JsonValue], Overrides("dataset.columns", levels=2)] = Field(default_factory=dict)
    """What is known of columns, such as {"duration": {"role": "ignored"}}."""
    input_schema_version: Annotated[int | None, Overrides("dataset.schema_version")] = None
    """Version of the frozen schema that the data must match."""
    target_column: Annotated[str | None, Overrides("dataset.target")] = None
    """Column to predict."""
    task: Annotated[str | None, Overrides("task")] = None
    """What is predicted."""
    data_validation: Annotated[dict[str, JsonValue], Overrides("validation")] = Field(default_factory=dict)
    """Rules of the gate, as `validation` of a pipeline file."""
    model_name: Annotated[str | None, Overrides("model.candidates")] = None
    """The only model family: a family's name, or `package.module:Class`."""
    model_version: Annotated[str | None, Overrides("model.version")] = None
    """Label of the model's design."""
    hyperparameters: Annotated[dict[str, JsonValue], Overrides("model.hyperparameters")] = Field(default_factory=dict)
    """Base hyperparameters by name."""
    tuning: Annotated[dict[str, JsonValue], Overrides("tuning")] = Field(default_factory=dict)
    """Settings of the search: enabled, n_trials, timeout, folds, search_space."""
    training_scenario: Annotated[str | None, Overrides("training.scenario")] = None
    """`full` fits from the start; `incremental` continues from the champion."""
    test_size: Annotated[float | None, Overrides("split.test_size")] = None
    """Share of the rows in the holdout."""
    split: Annotated[dict[str, JsonValue], Overrides("split")] = Field(default_factory=dict)
    """How the holdout is kept apart, such as {"by": "group", "group": "customer"}."""
    random_state: Annotated[int | None, Overrides("split.seed", "training.seed")] = None
    """Seed of search and fit."""
    target_output_path: Annotated[str | None, Overrides("training.target_output_path")] = None
    """Folder or `s3://` prefix to which the trained model is also exported."""

    @model_validator(mode="before")
    @classmethod
    def _in_own_words(cls, values: Any) -> Any:
        return own_spelling(values) if isinstance(values, Mapping) else values

    @property
    def given(self) -> dict[str, Any]:
        """The parameters that are set."""
        return {name: value for name, value in self if value is not None and value != {}}


@dataclass(frozen=True, slots=True)
class RunParameter:
    """One parameter of a run.

    Attributes:
        name: as in `RunOverrides`.
        type: `str`, `int`, `float`, or `dict` of a JSON object.
        locations: the fields of a pipeline that it replaces, or is merged into.
        description: one sentence.
        levels: how deep a mapping is merged.
        keys: the keys that a mapping may have; any if empty.
        choices: the accepted values; empty where they are not enumerated.
        bounds: such as `above 0, below 1`; empty without bounds.
        default: of the replaced field, or None.
    """

    name: str
    type: type[str] | type[int] | type[float] | type[dict[str, Any]]
    locations: tuple[Location, ...]
    description: str
    levels: int = 1
    keys: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    bounds: str = ""
    default: Any = None

    @property
    def help(self) -> str:
        """Description, choices and bounds in one line."""
        limits = f" One of {', '.join(self.choices)}." if self.choices else ""
        limits += f" {self.bounds.capitalize()}." if self.bounds else ""
        return f"{self.description}{limits}"

    def laid_over(self, document: dict[str, Any], value: Any) -> None:
        """Write the parameter's value into a pipeline's values."""
        for *path, last in self.locations:
            holder = document
            for part in path:
                holder = holder.setdefault(part, {})
            if isinstance(value, dict):
                holder[last] = _merged(holder.get(last, {}), value, self.levels)
            else:
                holder[last] = [value] if self.locations == (("model", "candidates"),) else value


def _merged(old: Any, new: Any, levels: int) -> Any:
    if levels == 0 or not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return old | {key: _merged(old.get(key), value, levels - 1) for key, value in new.items()}


def _parameter(name: str, declared: FieldInfo) -> RunParameter:
    [overrides] = [item for item in declared.metadata if isinstance(item, Overrides)]
    locations = tuple(tuple(field.split(".")) for field in overrides.fields)
    description = declared.description or ""
    if get_origin(declared.annotation) is dict:
        return RunParameter(name, dict, locations, description, overrides.levels, overrides.keys)
    replaced = _field_at(locations[0])
    return RunParameter(
        name,
        get_args(declared.annotation)[0],
        locations,
        description,
        choices=_choices(replaced.annotation),
        bounds=_bounds(replaced),
        default=None if replaced.is_required() else replaced.default,
    )


def _field_at(location: Location) -> FieldInfo:
    spec: type[Spec] = PipelineSpec
    for part in location[:-1]:
        spec = cast("type[Spec]", spec.model_fields[part].annotation)
    return spec.model_fields[location[-1]]


def _bounds(field: FieldInfo) -> str:
    bounds = [
        f"{word} {getattr(limit, kind)}"
        for limit in field.metadata
        for kind, word in _BOUNDS.items()
        if hasattr(limit, kind)
    ]
    return ", ".join(bounds)


def _choices(annotation: Any) -> tuple[str, ...]:
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return tuple(annotation)
    return get_args(annotation) if get_origin(annotation) is Literal else ()


RUN_PARAMETERS = MappingProxyType({name: _parameter(name, field) for name, field in RunOverrides.model_fields.items()})
"""Every parameter by its name."""


def parse_overrides(values: Mapping[str, Any], *, where: str) -> RunOverrides:
    """Return run parameters from JSON-able values by name; `where` names their origin in complaints.

    Raises:
        SpecError: a parameter is unknown or has the wrong type.
    """
    try:
        return RunOverrides.model_validate_json(json.dumps(values))
    except ValidationError as error:
        raise _refused(error.errors(include_url=False)[0], where, RunOverrides) from error


def apply_overrides(spec: PipelineSpec, overrides: RunOverrides) -> PipelineSpec:
    """Return the pipeline as one run sees it, validated as a whole.

    Raises:
        SpecError: a parameter is not acceptable.
    """
    document = laid_over(json.loads(spec.model_dump_json()), overrides)
    try:
        return PipelineSpec.model_validate_json(json.dumps(document))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise _refused(problem, f"run config of pipeline {spec.name}", PipelineSpec) from error


def laid_over(document: dict[str, Any], overrides: RunOverrides) -> dict[str, Any]:
    """Return a pipeline's JSON-able values with one run's parameters written into them; the values are changed.

    Of two parameters for one field the more specific one wins: `data_format` over `ingestion_config`.
    """
    for name in sorted(overrides.given, key=lambda name: len(RUN_PARAMETERS[name].locations[0])):
        RUN_PARAMETERS[name].laid_over(document, overrides.given[name])
    return document


def space_of_run(deployment: Space, parameters: Mapping[str, Any]) -> Space:
    """Return the space of a run: the deployment's unless the run has parameters.

    Equal parameters have the same space. The parameter `space` names another one, or asks for production.

    Args:
        deployment: the space of a run without parameters.
        parameters: as the run config has them.

    Raises:
        SpecError: the name is not acceptable.
    """
    given = {name: value for name, value in parameters.items() if value is not None and value != {}}
    asked = given.pop(SPACE_PARAMETER, None)
    if asked == PRODUCTION_NAME:
        return PRODUCTION
    if asked is None and not given:
        return deployment
    if asked is not None and not (isinstance(asked, str) and _SPACE_NAME.fullmatch(asked)):
        raise SpecError(
            "the name of a space is not acceptable",
            where=f"run config, {SPACE_PARAMETER}",
            found=repr(asked),
            expected=f"{PRODUCTION_NAME}, or up to 40 letters, digits, _ and -",
            remedy="correct it, or leave it out: equal parameters have the same space",
        )
    changed = [location for name in given if name in RUN_PARAMETERS for location in RUN_PARAMETERS[name].locations]
    # rules of the gate depend on what rows are split by
    new_rows = any(location[0] in _DATA_PARTS or location == _SPLIT for location in changed)
    name = asked or digest_of(given)[:DIGITS]
    return Space(deployment.branch, f"experiment-{name}", shares_rows=not new_rows)


def parameter_at(location: Sequence[str | int]) -> tuple[RunParameter, str] | None:
    """Return the parameter that replaces a field of a pipeline, and the rest of the location; None for other fields.

    Of several the most specific one is returned: `dialect` before `ingestion_config`.
    """
    written = tuple(map(str, location))
    found = [
        (field, parameter)
        for parameter in RUN_PARAMETERS.values()
        for field in parameter.locations
        if written[: len(field)] == field
        and (not parameter.keys or set(parameter.keys).intersection(written[len(field) : len(field) + 1]))
    ]
    if not found:
        return None
    field, parameter = max(found, key=lambda each: len(each[0]))
    return parameter, ".".join(written[len(field) :])


def parameter_name(location: Sequence[str | int]) -> str:
    """Return the name of a field of a pipeline as a run's parameters have it, or its own where none replaces it."""
    found = parameter_at(location)
    return ".".join(filter(None, (found[0].name, found[1]))) if found else ".".join(map(str, location))


def _refused(problem: ErrorDetails, where: str, root: type[Spec]) -> SpecError:
    what, found, expected, remedy = explain(problem, root)
    name = parameter_name(problem["loc"]) if root is PipelineSpec else ".".join(map(str, problem["loc"]))
    return SpecError(
        f"a run parameter is not acceptable: {what}",
        where=f"{where}, {name}",
        found=found,
        expected=expected,
        remedy=remedy,
    )
