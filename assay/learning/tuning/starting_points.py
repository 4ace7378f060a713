"""The points that a search tries before its sampler proposes any.

First comes the best of an earlier search of the same pipeline, then the base values of each candidate, cheap families
first, and then points that did well on other tables (`portfolio`), a third of the trials at most. All lie inside the
declared ranges: a value outside becomes the nearest one inside.
"""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any, NamedTuple

from assay.learning.tuning.candidates import Candidates
from assay.learning.tuning.portfolio import PORTFOLIO
from assay.results.search_result import BestHyperparameters
from assay.specs.learning import ENSEMBLES, WEIGHT, parameters_of

_SHARE = 3
"""One of so many trials is of the portfolio at most, so that the sampler proposes most of them."""


class Start(NamedTuple):
    """A point to begin with: a family, and the values of searched parameters; None for its base values."""

    family: str
    values: Mapping[str, Any] | None = None


def starting_points(candidates: Candidates, before: BestHyperparameters | None) -> list[Start]:
    """Return the points of a search that no sampler proposes, in order.

    Args:
        candidates: of the search.
        before: the result of an earlier search, if there is one; families that are no candidates are left out.
    """
    order = sorted(candidates.families, key=lambda name: candidates.families[name].card.cost)
    known = [] if before is None else list(_known(before))
    found = [Start(family, _inside(candidates, family, values)) for family, values in known if family in order]
    return [*found, *map(Start, order), *_portfolio(candidates, order)]


def _known(before: BestHyperparameters) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the family and hyperparameters of a result; of an average those of its members, by weight."""
    if before.family not in ENSEMBLES or before.ensemble_gain is None:
        yield before.family, before.parameters
        return
    weights = parameters_of(WEIGHT, before.parameters)
    for member in sorted(weights, key=lambda name: -float(weights[name])):
        yield member, parameters_of(member, before.parameters)


def _inside(candidates: Candidates, family: str, values: Mapping[str, Any]) -> dict[str, Any]:
    ranges = candidates.space[family]
    return {key: ranges[key].nearest(value) for key, value in values.items() if key in ranges}


def _portfolio(candidates: Candidates, order: list[str]) -> list[Start]:
    """Return the first points of each family, then the second ones, as many as a search has room for."""
    tuning = candidates.spec.tuning
    if not tuning.has_default_space or tuning.sampler == "grid":
        return []
    rounds = zip_longest(*([(name, point) for point in PORTFOLIO.get(name, ())] for name in order))
    points = [each for tried in rounds for each in tried if each is not None]
    return [Start(name, _inside(candidates, name, values)) for name, values in points][: tuning.n_trials // _SHARE]
