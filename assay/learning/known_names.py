"""What is wrong in a pipeline whatever the data: unknown names, bounds out of reach, and expressions that do not parse.

Nothing heavy is imported: names are declared beside the things, their libraries are imported where they are used.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from assay.data.frozen_schema import FrozenSchema, feature_schema_name, joined_schema_name, reviewed_schema
from assay.errors import AssayError, DataContractError, SpecError
from assay.importing import is_import_path
from assay.learning.estimators.category_names import category_errors
from assay.learning.estimators.ensembles import declared_parameters
from assay.learning.estimators.family import FAMILIES, family_names, unknown_family
from assay.learning.evaluation.metrics import METRICS, metric, metric_names, unknown_metric, without_direction
from assay.learning.known_columns import column_errors, raw_column_errors, served_column_errors
from assay.learning.known_options import option_errors
from assay.learning.preprocessing.step_names import step_errors
from assay.learning.tuning.candidates import parted, unknown_hyperparameter
from assay.learning.tuning.samplers import sampler_errors
from assay.specs.base import Location
from assay.specs.features import FeaturesSpec
from assay.specs.learning import ENSEMBLES, StackSpec
from assay.specs.loading import NameCheck
from assay.specs.overrides import parameter_name
from assay.specs.pipeline import PipelineSpec, Task
from assay.specs.preprocessing import CATEGORIES, is_step_key
from assay.specs.validation import RowRules

if TYPE_CHECKING:
    import duckdb


def name_check(schemas: Path | None = None, tasks: Sequence[Task] = ()) -> NameCheck:
    """Return what yields each name in a pipeline that cannot be right, with its location.

    Args:
        schemas: folder of reviewed schema files; where it has the pipeline's, columns are compared with it.
        tasks: those that the pipeline may have; its own unless given. A name that is right for one of them passes.
    """
    parser = cache(_expression_parser)

    def check(spec: PipelineSpec) -> Iterator[tuple[Location, AssayError]]:
        yield from _learning_errors(spec, tasks or (spec.task,))
        yield from _bound_errors(spec, tasks or (spec.task,))
        yield from _expression_errors(spec, parser)
        yield from step_errors(spec)
        yield from sampler_errors(spec)
        yield from option_errors(spec, tasks or (spec.task,))
        yield from category_errors(spec)
        frozen = reviewed_schema(schemas, spec.name, spec.dataset.schema_version) if schemas is not None else None
        yield from served_column_errors(spec, frozen)
        if spec.features is None:
            yield from column_errors(spec, frozen)
        else:
            yield from raw_column_errors(spec, frozen)
            yield from _feature_errors(spec, spec.features, frozen, schemas, parser)

    return check


def require_known_names(spec: PipelineSpec, *, where: str, schemas: Path | None = None) -> None:
    """Refuse a pipeline of one run in which a name cannot be right.

    Args:
        spec: with the run's parameters.
        where: how to name the run config.
        schemas: folder of reviewed schema files.

    Raises:
        AssayError: names the run parameter.
    """
    for location, error in name_check(schemas)(spec):
        error.where = f"{where}, {parameter_name(location)}"
        raise error


@dataclass(frozen=True, slots=True)
class _Name:
    """A name at a location, what is known for a task, and the error by name and the tasks that do not know it."""

    location: Location
    name: str
    known: Callable[[Task], Collection[str]]
    error: Callable[..., AssayError]


def _learning_errors(spec: PipelineSpec, tasks: Sequence[Task]) -> Iterator[tuple[Location, AssayError]]:
    """Yield the names that no task knows; each known one narrows the tasks for those that follow."""
    for each in (*_families(spec), *_hyperparameters(spec), *_metrics(spec)):
        fitting = [task for task in tasks if each.name in each.known(task)]
        if fitting:
            tasks = fitting
        else:
            yield each.location, each.error(each.name, *tasks)


def _families(spec: PipelineSpec) -> Iterator[_Name]:
    model = spec.model
    named: list[tuple[Location, str]] = [
        (("candidates", number), name) for number, name in enumerate(model.candidates) if name not in ENSEMBLES
    ]
    for ensemble in ENSEMBLES:
        written = getattr(model, ensemble)
        for number, name in enumerate(model.members_of(ensemble)):
            below: Location = ("members", number) if isinstance(written, StackSpec) else (number,)
            named.append(((ensemble, *((name,) if isinstance(written, dict) else below)), name))
    if model.stacked is not None and model.stacked.final is not None:
        named.append((("stack", "final"), model.stacked.final))
    for location, name in named:
        if not is_import_path(name):
            yield _Name(("model", *location), name, family_names, unknown_family)


def _hyperparameters(spec: PipelineSpec) -> Iterator[_Name]:
    """Yield the names of base values and of the search space.

    A name under a family is of that family, any other of any candidate or member of an ensemble. Of models by import
    path nothing is known.
    """
    model = spec.model
    plain = dict.fromkeys(each for name in model.candidates for each in model.members_of(name) or (name,))
    for location, family, name in _given_parameters(spec, {*FAMILIES, *ENSEMBLES, *model.candidates, *plain}):
        if family in ENSEMBLES:
            if not is_import_path(name.rpartition(".")[0]):
                yield _parameter_of_ensemble(location, name, family, spec)
        elif family and family not in FAMILIES and family not in plain:
            yield _Name(location, family, family_names, unknown_family)
        elif all(each in FAMILIES for each in ((family,) if family else plain)):
            yield _hyperparameter(location, name, (family,) if family else tuple(plain))


def _given_parameters(spec: PipelineSpec, families: Collection[str]) -> Iterator[tuple[Location, str, str]]:
    """Yield location, family (empty if none is named) and name of each hyperparameter that the file names."""
    for key, value in spec.model.hyperparameters.items():
        location: Location = ("model", "hyperparameters", key)
        if isinstance(value, dict) and key in families:
            yield from (((*location, name), key, name) for name in value)
        elif key == CATEGORIES or not is_step_key(key):
            yield location, "", key
    for key in spec.tuning.asked_space:
        if not is_step_key(key):
            yield ("tuning", "search_space", key), *parted(key)


def _parameter_of_ensemble(location: Location, name: str, ensemble: str, spec: PipelineSpec) -> _Name:
    def known(task: Task) -> frozenset[str]:
        return declared_parameters(ensemble, task, spec.model)

    def error(name: str, *tasks: Task) -> AssayError:
        return unknown_hyperparameter(name, sorted(frozenset().union(*map(known, tasks))), (ensemble,))

    return _Name(location, name, known, error)


def _hyperparameter(location: Location, name: str, families: Sequence[str]) -> _Name:
    def known(task: Task) -> frozenset[str]:
        return frozenset().union(*(FAMILIES[family].parameter_names(task) for family in families))

    def error(name: str, *tasks: Task) -> AssayError:
        return unknown_hyperparameter(name, sorted(frozenset().union(*map(known, tasks))), families)

    return _Name(location, name, known, error)


def _metrics(spec: PipelineSpec) -> Iterator[_Name]:
    evaluation = spec.evaluation
    named: list[tuple[Location, str]] = [
        (("metrics", number), name) for number, name in enumerate(evaluation.metric_names)
    ]
    named += [(("minimum", name), name) for name in evaluation.minimum]
    named += [(("primary_metric",), evaluation.primary_name)] if evaluation.primary_name is not None else []
    for location, name in named:
        if not is_import_path(name):
            yield _Name(("evaluation", *location), name, metric_names, unknown_metric)


def _bound_errors(spec: PipelineSpec, tasks: Sequence[Task]) -> Iterator[tuple[Location, AssayError]]:
    """Yield each bound that no model can reach, and each metric by path without the direction that it needs.

    Every metric of ours is 1 at its best, or 0 where less is better.
    """
    yield from _direction_errors(spec, tasks)
    for name, bound in spec.evaluation.minimum.items():
        known = next((METRICS[task][name] for task in tasks if name in METRICS[task]), None)
        if known and not known.reaches(float(known.greater_is_better), bound):
            yield (
                ("evaluation", "minimum", name),
                SpecError(
                    f"no model reaches this bound of '{name}'",
                    found=f"{bound:g}",
                    expected="at most 1" if known.greater_is_better else "at least 0",
                    remedy="correct the bound",
                ),
            )


def _direction_errors(spec: PipelineSpec, tasks: Sequence[Task]) -> Iterator[tuple[Location, AssayError]]:
    """Yield metrics of the user's own that are compared with a bound or a champion, and cannot be.

    A module is imported here only if the pipeline file does not state the direction.
    """
    evaluation = spec.evaluation
    compared: list[tuple[Location, str]] = [(("evaluation", "minimum", name), name) for name in evaluation.minimum]
    if evaluation.primary_name is not None:
        compared.append((("evaluation", "primary_metric"), evaluation.primary_name))
    for location, name in compared:
        if not is_import_path(name) or evaluation.own_metric(name).greater_is_better is not None:
            continue
        try:
            stated = metric(name, tasks[0], evaluation).stated
        except AssayError as error:
            yield location, error
            continue
        if not stated:
            yield location, without_direction(name, tasks[0])


def _expression_parser() -> "duckdb.DuckDBPyConnection":
    """Return a connection that parses: to open one takes longer than to load a pipeline, so all share it."""
    from assay.expressions.language import locked_connection

    return locked_connection()


def _expression_errors(
    spec: PipelineSpec, parser: "Callable[[], duckdb.DuckDBPyConnection]"
) -> Iterator[tuple[Location, AssayError]]:
    """Yield each SQL expression that DuckDB cannot parse, or that uses more than the values of a row."""
    texts = dict(_texts(spec.validation, "validation"))
    if spec.validation.raw is not None:
        texts |= _texts(spec.validation.raw, "validation", "raw")
    if not texts:
        return
    from assay.expressions.language import parsed

    for location, sql in texts.items():
        try:
            parsed(parser(), sql)
        except DataContractError as error:
            yield location, SpecError(error.what, found=error.found, expected=error.expected, remedy=error.remedy)


def _texts(rules: RowRules, *place: str) -> Iterator[tuple[Location, str]]:
    yield from (((*place, "expressions", name), sql) for name, sql in rules.expressions.items())
    for number, rule in enumerate(rules.conditional):
        yield (*place, "conditional", number, "when"), rule.when
        yield (*place, "conditional", number, "then"), rule.then


def _feature_errors(
    spec: PipelineSpec,
    features: FeaturesSpec,
    source: FrozenSchema | None,
    schemas: Path | None,
    parser: "Callable[[], duckdb.DuckDBPyConnection]",
) -> Iterator[tuple[Location, AssayError]]:
    """Yield what is wrong with the steps, and the columns that the rows after them do not have."""
    from assay.features.checks import (
        checked_steps,
        declared_column_errors,
        feature_columns,
        problem_at,
        table_time_errors,
    )
    from assay.features.parsing import StepProblem

    version = spec.dataset.schema_version
    names = [each.table for each in features.other_sources] if schemas is not None else []
    others = {name: reviewed_schema(schemas, joined_schema_name(spec.name, name), version) for name in names if schemas}
    yield from table_time_errors(features, others)
    try:
        plan = checked_steps(features, spec.dataset.target, source, parser, others)
    except StepProblem as problem:
        yield problem_at(problem)
        return
    frozen = reviewed_schema(schemas, feature_schema_name(spec.name), version) if schemas is not None else None
    if frozen is None or frozen.steps != features.digest:
        frozen = feature_columns(spec, plan) if plan is not None else None
    if source is None or frozen is None:
        yield from column_errors(spec, None)
        return
    yield from declared_column_errors(spec, source, frozen)
    yield from column_errors(spec, frozen)
