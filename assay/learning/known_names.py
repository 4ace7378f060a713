"""What a pipeline file alone shows to be wrong: names of families, metrics and steps, bounds, and expressions.

Nothing heavy is imported: names are declared beside the things, their libraries are imported where they are used.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

from assay.errors import AssayError, DataContractError, SpecError
from assay.importing import is_import_path
from assay.learning.estimators.family import FAMILIES, card_of, unknown_family
from assay.learning.evaluation.metrics import METRICS, metric
from assay.learning.preprocessing.assembly import require_step
from assay.specs.loading import Location
from assay.specs.pipeline import PipelineSpec

_Check: TypeAlias = tuple[Location, Callable[[], object]]
"""A part of the file, and what raises where it is wrong."""


def name_errors(spec: PipelineSpec) -> Iterator[tuple[Location, AssayError]]:
    """Yield what cannot be right, with its location in the pipeline file."""
    for location, check in (*_names(spec), *_bounds(spec)):
        try:
            check()
        except AssayError as error:
            yield location, error
    yield from _expression_errors(spec)


def _names(spec: PipelineSpec) -> Iterator[_Check]:
    evaluation = spec.evaluation
    for number, name in enumerate(spec.model.candidates):
        yield ("model", "candidates", number), partial(card_of, name, spec.task)
    for key in spec.tuning.search_space if spec.tuning.search_space != "auto" else ():
        yield ("tuning", "search_space", key), partial(_require_family, key.rpartition(".")[0], spec)
    metrics: dict[Location, str] = {("evaluation", "minimum", name): name for name in evaluation.minimum}
    metrics |= {("evaluation", "metrics", number): name for number, name in enumerate(evaluation.metrics)}
    if evaluation.primary_metric is not None:
        metrics["evaluation", "primary_metric"] = evaluation.primary_metric
    for location, name in metrics.items():
        if not is_import_path(name):
            yield location, partial(metric, name, spec.task)
    for number, step in enumerate(spec.preparation.steps):
        if not is_import_path(step.step):
            yield ("preprocessing", "steps", number, "step"), partial(require_step, step.step)


def _require_family(name: str, spec: PipelineSpec) -> None:
    if name and name not in FAMILIES and name not in spec.model.candidates:
        raise unknown_family(name, spec.task)


def _bounds(spec: PipelineSpec) -> Iterator[_Check]:
    for name, bound in spec.evaluation.minimum.items():
        yield ("evaluation", "minimum", name), partial(_require_reachable, name, bound, spec)


def _require_reachable(name: str, bound: float, spec: PipelineSpec) -> None:
    """Refuse a bound that no model can reach: every metric of ours is 1 at its best, or 0 where less is better."""
    known = METRICS[spec.task].get(name)
    if known and not known.reaches(float(known.greater_is_better), bound):
        raise SpecError(
            f"no model reaches this bound of '{name}'",
            found=f"{bound:g}",
            expected="at most 1" if known.greater_is_better else "at least 0",
            remedy="correct the bound",
        )


def _expression_errors(spec: PipelineSpec) -> Iterator[tuple[Location, AssayError]]:
    """Yield each SQL expression that DuckDB cannot parse, or that uses more than the values of a row."""
    rules = spec.validation
    texts: dict[Location, str] = {("validation", "expressions", name): sql for name, sql in rules.expressions.items()}
    for number, rule in enumerate(rules.conditional):
        texts |= {("validation", "conditional", number, part): getattr(rule, part) for part in ("when", "then")}
    if not texts:
        return
    from assay.gate.expression_language import locked_connection, parsed

    with locked_connection() as connection:
        for location, sql in texts.items():
            try:
                parsed(connection, sql)
            except DataContractError as error:
                yield location, SpecError(error.what, found=error.found, expected=error.expected, remedy=error.remedy)
