"""The points of a search: each trial has one of its own, inside the declared space, until none is left."""

import math
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from assay.learning.estimators.ensembles import Ensemble
from assay.learning.preprocessing.chains import base_values
from assay.learning.tuning.candidates import Candidates
from assay.learning.tuning.samplers import SAMPLERS
from assay.learning.tuning.starting_points import Start, starting_points
from assay.results.search_result import BestHyperparameters
from assay.specs.base import digest_of
from assay.specs.learning import parameters_of
from assay.specs.preprocessing import CATEGORIES, is_step_key
from assay.specs.tuning import SearchParameter

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial

_ASKED = 5
"""How often the study is asked for a point that was not tried, before one is drawn."""
_LISTED = 10_000
"""Families of more points are never exhausted: a search has no more trials."""
_DIGITS = 12
"""Significant digits by which two values of a hyperparameter are the same."""


Point: TypeAlias = tuple["Trial", str, dict[str, Any]]
"""A trial, the family's name, and its hyperparameters, base values and proposed ones together."""


class Points:
    """Proposes the points of a study, none of them twice.

    A study proposes known points again, most often in a small space: of 9 trials in a space of 3 x 3 it leaves out 3.
    Such a proposal is passed over, and in the end a random point takes its place.
    """

    def __init__(self, candidates: Candidates, study: "Study", before: BestHyperparameters | None = None) -> None:
        self._candidates = candidates
        self._study = study
        self._tried: set[str] = set()
        self._excluded: set[str] = set()
        self._random = np.random.default_rng(candidates.spec.training.seed)
        self._starts = starting_points(candidates, before)
        self._untried = {name: _listed(candidates, name) for name in candidates.families}

    def exclude(self, family: str) -> None:
        """Propose no further points of a family."""
        self._untried[family] = {}
        self._excluded.add(family)

    def propose(self) -> Point | None:
        """Ask for a trial: at the starting points first.

        Returns:
            None where every point of the space was tried, those of excluded families left out.
        """
        while self._starts:
            start = self._starts.pop(0)
            found = None if start.family in self._excluded else self._begun(start)
            if found is not None:
                return found
        if not any(points is None or points for points in self._untried.values()):
            return None
        for _ in range(_ASKED):
            found = self._asked()
            if found is not None:
                return found
        while (found := self._asked(self._drawn())) is None:
            pass
        return found

    def repeat(self, family: str, parameters: Mapping[str, Any]) -> Point | None:
        """Propose a point that was tried before this study began.

        Args:
            family: the family's name.
            parameters: hyperparameters, values of others than the searched ones among them.
        """
        ranges = {key: ranged for key, ranged in self._candidates.space[family].items() if key in parameters}
        self._starts = [each for each in self._starts if each != Start(family)]
        return self._asked((family, {key: parameters[key] for key in ranges}), ranges)

    def _begun(self, start: Start) -> Point | None:
        """Propose a starting point; base values outside a declared range are left to the study.

        Returns:
            None where it was tried before.
        """
        name, ranges = start.family, self._candidates.space[start.family]
        inside = _base_values_inside(self._candidates, name) if start.values is None else start.values
        if not SAMPLERS[self._candidates.spec.tuning.sampler].joint:
            # the point belongs to a family's own space, even where its value is no number of the range (None, 0)
            asked = self._candidates.asked[name]
            ranges = {key: ranged for key, ranged in ranges.items() if key in inside or key in asked}
        return self._asked((name, inside), ranges)

    def _asked(
        self, values: tuple[str, Mapping[str, Any]] | None = None, ranges: Mapping[str, SearchParameter] | None = None
    ) -> Point | None:
        """Return the study's next trial, at the given values if any; None if its point was tried, which ends it."""
        from optuna.trial import TrialState

        if values is not None:
            family, given = values
            self._study.enqueue_trial({"family": family} | {f"{family}.{key}": each for key, each in given.items()})
        trial = self._study.ask()
        name = str(trial.suggest_categorical("family", list(self._candidates.families)))
        ranges = self._candidates.space[name] if ranges is None else ranges
        drawn = {key: draw(trial, f"{name}.{key}", parameter) for key, parameter in ranges.items()}
        parameters = self._candidates.base[name] | drawn
        if name in self._excluded or (key := _key(name, parameters)) in self._tried:
            self._study.tell(trial, state=TrialState.FAIL)
            return None
        self._tried.add(key)
        (self._untried[name] or {}).pop(key, None)
        return trial, name, parameters

    def _drawn(self) -> tuple[str, Mapping[str, Any]]:
        """Draw a family, and one of its points: an untried one where they are listed, else any."""
        names = [name for name, points in self._untried.items() if points is None or points]
        name = names[self._random.integers(len(names))]
        points = self._untried[name]
        if points is not None:
            return name, list(points.values())[self._random.integers(len(points))]
        return name, {key: random_value(each, self._random) for key, each in self._candidates.space[name].items()}


def grid_points(candidates: Candidates) -> int | None:
    """Return how many points a grid search has; None where the sampler is another."""
    if candidates.spec.tuning.sampler != "grid":
        return None
    return sum(len(_listed(candidates, name) or ()) for name in candidates.families)


def draw(trial: "Trial", name: str, parameter: SearchParameter) -> Any:
    """Draw a value of one parameter from a trial, under the given name in the study."""
    low, high = parameter.low or 0.0, parameter.high or 0.0
    if parameter.type == "categorical":
        return trial.suggest_categorical(name, parameter.choices or ())
    if parameter.type == "int":
        return trial.suggest_int(name, int(low), int(high), step=int(parameter.step or 1), log=parameter.log)
    return trial.suggest_float(name, low, high, step=parameter.step, log=parameter.log)


def _listed(candidates: Candidates, name: str) -> dict[str, dict[str, Any]] | None:
    """Return every point of a family's space by its key; None where there are more than a search can try."""
    space, base = candidates.space[name], candidates.base[name]
    values = [known for each in space.values() if (known := each.values(_LISTED)) is not None]
    if len(values) < len(space) or math.prod(map(len, values)) > _LISTED:
        return None
    points = [dict(zip(space, point, strict=True)) for point in product(*values)]
    return {_key(name, base | point): point for point in points}


def random_value(parameter: SearchParameter, random: np.random.Generator) -> Any:
    """Draw a value uniformly, or uniformly by its logarithm."""
    known = parameter.values(_LISTED)
    if known is not None:
        return known[random.integers(len(known))]
    low, high = parameter.low or 0.0, parameter.high or 0.0
    if parameter.log:
        value = float(np.exp(random.uniform(np.log(low), np.log(high))))
    else:
        steps = parameter.step or (1 if parameter.type == "int" else None)
        value = low + steps * random.integers(int((high - low) / steps) + 1) if steps else random.uniform(low, high)
    value = min(max(value, low), high)
    return round(value) if parameter.type == "int" else float(value)


def _key(family: str, parameters: Mapping[str, Any]) -> str:
    """Return what makes two points the same; 0.3 and 3 * 0.1 are one value, and so are 1 and 1.0."""
    return digest_of(
        family, {name: float(f"{v:.{_DIGITS}g}") if type(v) in {int, float} else v for name, v in parameters.items()}
    )


def _base_values_inside(candidates: Candidates, name: str) -> dict[str, Any]:
    """Return the base values of a family, its defaults included, that are in their ranges."""
    spec, ranges = candidates.spec, candidates.space[name]
    known = candidates.families[name].values(candidates.base[name], spec.training.seed, spec.training.threads)
    known |= base_values(spec.preparation, (key for key in ranges if is_step_key(key) and key != CATEGORIES))
    known |= _base_encodings(candidates, name)
    known |= {key: value for key, value, _ in spec.features.fitted_parameters()} if spec.features is not None else {}
    return {key: known[key] for key, ranged in ranges.items() if key in known and ranged.holds(known[key])}


def _base_encodings(candidates: Candidates, name: str) -> dict[str, Any]:
    """Return how a family, or each member of an ensemble, encodes categories before a search, by its name for it."""
    family, base = candidates.families[name], candidates.base[name]
    preparation = candidates.spec.preparation
    if not isinstance(family, Ensemble):
        return {CATEGORIES: family.card.category_encoding(preparation.with_values(base))}
    return {
        f"{part}.{CATEGORIES}": each.card.category_encoding(preparation.with_values(parameters_of(part, base)))
        for part, each in family.members.items()
    }
