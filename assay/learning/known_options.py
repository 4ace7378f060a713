"""Options of `training` that cannot be right: of another task, or of families that do not take them."""

from collections.abc import Iterator, Sequence

from assay.errors import AssayError, SpecError
from assay.learning.estimators.assembly import unweighable
from assay.learning.estimators.constraints import constraint_parameters
from assay.learning.estimators.family import FAMILIES, FamilyCard
from assay.specs.base import Location
from assay.specs.pipeline import PipelineSpec, Task

_TASKS: dict[str, tuple[tuple[Task, ...], str]] = {
    "class_weight": ((Task.BINARY, Task.MULTICLASS), "weigh the rows of a regression by training.sample_weight"),
    "calibration": ((Task.BINARY, Task.MULTICLASS), "a regression has no probabilities; remove it"),
    "threshold": ((Task.BINARY,), "only two classes have a threshold; training.class_weight shifts the others"),
    "target_transform": ((Task.REGRESSION,), "classes are not transformed; remove it"),
    "interval": ((Task.REGRESSION,), "classes have probabilities; training.calibration corrects them"),
}
_OWN_WEIGHTS = ("auto_class_weights", "class_weight", "is_unbalance", "scale_pos_weight")
"""Hyperparameters by which families weigh classes themselves."""


def option_errors(spec: PipelineSpec, tasks: Sequence[Task]) -> Iterator[tuple[Location, AssayError]]:
    """Yield each option of `training` that does not fit the task, the families or another part of the pipeline.

    Args:
        spec: the pipeline.
        tasks: those that the pipeline may have.
    """
    yield from _of_other_tasks(spec, tasks)
    yield from _of_other_families(spec)
    yield from _constrained_columns(spec)
    training = spec.training
    if training.sample_weight == spec.dataset.target:
        yield _wrong("sample_weight", "the target cannot weigh its own rows", "name another column")
    if training.class_weight is not None and (twice := _weighed_twice(spec)):
        remedy = f"remove training.class_weight, or {twice} from model.hyperparameters and tuning.search_space"
        yield _wrong("class_weight", f"`{twice}` weighs the classes already", remedy)
    if training.interval is not None and training.scenario == "incremental":
        remedy = "use scenario: full; predictions have intervals by the holdout's errors on request"
        yield _wrong("interval", "a continued fit has learned from rows that its errors would be measured on", remedy)


def _of_other_tasks(spec: PipelineSpec, tasks: Sequence[Task]) -> Iterator[tuple[Location, AssayError]]:
    for option, (fitting, remedy) in _TASKS.items():
        if getattr(spec.training, option) is not None and not set(fitting) & set(tasks):
            yield _wrong(option, f"'{option}' is for {' or '.join(fitting)}", remedy)
    constraints = spec.training.constraints
    if constraints is not None and constraints.monotone and set(tasks) == {Task.MULTICLASS}:
        remedy = "remove it, or make two classes of the target"
        yield _wrong("constraints", "'monotone' is for two classes or a regression", remedy, "monotone")


def _of_other_families(spec: PipelineSpec) -> Iterator[tuple[Location, AssayError]]:
    """Yield the families that do not take weights or constraints; of models by import path only the latter is known."""
    model, training = spec.model, spec.training
    option = "sample_weight" if training.sample_weight is not None else "class_weight"
    if training.constraints is not None and "stack" in model.candidates:
        remedy = "name a vote, or a single family, in model.candidates"
        yield _wrong("constraints", "the final model of a stack may reverse a constraint", remedy)
        return
    for name in dict.fromkeys(part for each in model.candidates for part in model.families_of(each)):
        card = FAMILIES.get(name) or FamilyCard(name=name, encoding="one_hot")
        if training.weighs_rows and not card.weighs_rows:
            yield ("training", option), unweighable(name, spec)
        try:
            constraint_parameters(card, training.constraints)
        except AssayError as error:
            yield ("training", "constraints"), error


def _constrained_columns(spec: PipelineSpec) -> Iterator[tuple[Location, AssayError]]:
    """Yield constrained columns that have a step of their own."""
    constraints = spec.training.constraints
    if constraints is None:
        return
    stepped = {name for step in spec.preparation.steps for name in step.columns}
    named = [*constraints.monotone, *(name for group in constraints.interactions for name in group)]
    for name in dict.fromkeys(named):
        if name in stepped:
            remedy = "remove the column from preprocessing.steps, or from the constraints"
            yield _wrong("constraints", f"a step makes other columns of '{name}'", remedy)


def _weighed_twice(spec: PipelineSpec) -> str:
    """Return a hyperparameter by which a family weighs classes itself; empty where none is given."""
    space = spec.tuning.search_space if spec.tuning.search_space != "auto" else {}
    nested = [name for value in spec.model.hyperparameters.values() if isinstance(value, dict) for name in value]
    given = [*spec.model.hyperparameters, *nested, *space]
    return next((name for name in given if name.rpartition(".")[2] in _OWN_WEIGHTS), "")


def _wrong(option: str, what: str, remedy: str, *below: str) -> tuple[Location, AssayError]:
    return ("training", option, *below), SpecError(what, remedy=remedy)
