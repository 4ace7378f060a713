"""Monotone and interaction constraints: by columns in the pipeline file, by positions in the libraries.

An unfitted model has them by the names of columns. `place` makes positions of them, once the fitted preprocessing says
which outputs are made of which column.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from assay.errors import LearningError
from assay.learning.estimators.family import FAMILIES, FamilyCard
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec
from assay.specs.training_options import ConstraintsSpec

_SIGNS = {"increasing": 1, "decreasing": -1}


def constraint_parameters(card: FamilyCard, asked: ConstraintsSpec | None) -> dict[str, Any]:
    """Return the constructor's parameters of a family for constraints, by names of columns.

    Raises:
        LearningError: the family has no such constraints.
    """
    if asked is None:
        return {}
    found: dict[str, Any] = {}
    for wanted, parameter, value in (
        (bool(asked.monotone), card.monotone, {name: _SIGNS[way] for name, way in asked.monotone.items()}),
        (bool(asked.interactions), card.interactions, [list(group) for group in asked.interactions]),
    ):
        if wanted and parameter is None:
            raise unconstrained(card.name, asked)
        if wanted and parameter is not None:
            found[parameter] = value
    return found


def unconstrained(family: str, asked: ConstraintsSpec) -> LearningError:
    """Return the error of a family without the constraints that a pipeline asks for."""
    kinds = [kind for kind in ("monotone", "interactions") if getattr(asked, kind)]
    able = [name for name, card in sorted(FAMILIES.items()) if all(getattr(card, kind) for kind in kinds)]
    return LearningError(
        f"'{family}' takes no constraints of {' and '.join(kinds)}",
        where="training.constraints",
        found=family,
        expected=f"one of {', '.join(able)}",
        remedy="name such a family in model.candidates, or remove the constraints",
    )


def monotone_errors(roles: Mapping[str, ColumnRole], spec: PipelineSpec) -> Iterator[tuple[str, LearningError]]:
    """Yield the columns of `monotone` whose values have no order, with their errors.

    Args:
        roles: of the columns whose role is known.
        spec: the pipeline.
    """
    constraints = spec.training.constraints
    for name in constraints.monotone if constraints is not None else ():
        if name in roles and roles[name] not in {ColumnRole.NUMERIC, ColumnRole.BOOLEAN}:
            yield (
                name,
                LearningError(
                    f"'{name}' has no order by which predictions could rise or fall",
                    where="training.constraints.monotone",
                    found=f"its role is {roles[name]}",
                    expected="a numeric or boolean column",
                    remedy=f"remove it, or give dataset.columns.{name} the role numeric if its values are numbers",
                ),
            )


def place(model: Any, sources: Sequence[str]) -> Any:
    """Give an unfitted model its constraints by the positions of columns; returns the model.

    Args:
        model: of a family, or around one.
        sources: the column that each output of the preprocessing is made of, see `output_sources`.

    Raises:
        LearningError: no output is made of a constrained column alone.
    """
    inner = getattr(model, "model", model)
    settings = inner.get_params()
    path = f":{type(inner).__name__}"
    for card in FAMILIES.values():
        if not any(each.endswith(path) for each in card.estimator_paths):
            continue
        signs, groups = settings.get(card.monotone or ""), settings.get(card.interactions or "")
        if isinstance(signs, dict):
            _require_made(signs, sources)
            inner.set_params(**{str(card.monotone): card.constraints_as([signs.get(name, 0) for name in sources])})
        if groups and isinstance(groups[0][0], str):
            inner.set_params(**{str(card.interactions): card.constraints_as(_placed(groups, sources))})
    return model


def _placed(groups: Sequence[Sequence[str]], sources: Sequence[str]) -> list[list[int]]:
    """Return groups of positions; those of no group are one more, which libraries take differently where it is left."""
    named = {name for group in groups for name in group}
    _require_made(named, sources)
    placed = [[number for number, name in enumerate(sources) if name in group] for group in groups]
    others = [number for number, name in enumerate(sources) if name not in named]
    return [*placed, *([others] if others else [])]


def _require_made(names: Any, sources: Sequence[str]) -> None:
    missing = sorted(set(names) - set(sources))
    if missing:
        raise LearningError(
            f"no input of the model is made of the column {', '.join(map(repr, missing))} alone",
            where="training.constraints",
            found=f"columns {', '.join(dict.fromkeys(filter(None, sources)))}",
            expected="columns that are features without a step of their own",
            remedy="remove the column from training.constraints, or from preprocessing.steps",
        )
