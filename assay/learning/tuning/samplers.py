"""What proposes the points of a search, and what gives trials up: Optuna's samplers and pruners, by name."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias

from assay.errors import AssayError, SpecError
from assay.learning.estimators.family import FAMILIES
from assay.learning.evaluation.metrics import primary_metric
from assay.specs.base import Location
from assay.specs.learning import ENSEMBLES
from assay.specs.pipeline import PipelineSpec
from assay.specs.tuning import SearchParameter

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.study import Study

_RANDOM_TRIALS = 5
_LEAST_NUMBERS = 2
_MOST_POINTS = 10_000
"""As many as a search may have trials."""
_REDUCTION = 3
"""One of so many trials goes on to the next rung; a search has three folds unless `tuning.folds` says otherwise."""
Built: TypeAlias = "Callable[[PipelineSpec, int, bool], BaseSampler]"
"""Takes the pipeline, the number of first trials that no sampler proposes, and whether trials run side by side."""


def _tpe(spec: PipelineSpec, first: int, parallel: bool) -> "BaseSampler":  # noqa: FBT001 - as `Built`
    from optuna.samplers import TPESampler

    return TPESampler(seed=spec.training.seed, n_startup_trials=first, constant_liar=parallel)


def _random(spec: PipelineSpec, first: int, parallel: bool) -> "BaseSampler":  # noqa: ARG001, FBT001 - as `Built`
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=spec.training.seed)


def _cma_es(spec: PipelineSpec, first: int, parallel: bool) -> "BaseSampler":  # noqa: ARG001, FBT001 - as `Built`
    from optuna.samplers import CmaEsSampler

    return CmaEsSampler(seed=spec.training.seed, warn_independent_sampling=False)


def _gp(spec: PipelineSpec, first: int, parallel: bool) -> "BaseSampler":  # noqa: ARG001, FBT001 - as `Built`
    from optuna.samplers import GPSampler

    return GPSampler(seed=spec.training.seed, n_startup_trials=first, deterministic_objective=True)


@dataclass(frozen=True, slots=True)
class SamplerKind:
    """A sampler that a pipeline file can name.

    Attributes:
        build: makes Optuna's sampler.
        package: that it needs beside Optuna; empty for none.
        remedy: how to install it.
        joint: whether it proposes all hyperparameters together, so that every trial must have the same ones.
        listed: whether every value of a range must be countable.
        numbers: how many ranges of numbers it needs.
    """

    build: Built
    package: str = ""
    remedy: str = ""
    joint: bool = False
    listed: bool = False
    numbers: int = 0


SAMPLERS: Mapping[str, SamplerKind] = {
    "tpe": SamplerKind(_tpe),
    "random": SamplerKind(_random),
    # `Points` proposes none twice, and ends when all were tried
    "grid": SamplerKind(_random, listed=True),
    "cma_es": SamplerKind(_cma_es, package="cmaes", remedy="install assay[cma-es]", joint=True, numbers=_LEAST_NUMBERS),
    # no extra: the wheel of torch that an installer takes unless asked otherwise brings gigabytes of CUDA libraries
    "gp": SamplerKind(_gp, package="torch", remedy="install torch, of which the build for CPUs suffices", joint=True),
}


def _pruner(name: str, first: int) -> "BasePruner":
    from optuna import pruners

    if name == "successive_halving":
        return pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=_REDUCTION)
    if name == "hyperband":
        return pruners.HyperbandPruner(min_resource=1, reduction_factor=_REDUCTION)
    return pruners.NopPruner() if name == "none" else pruners.MedianPruner(n_startup_trials=first)


def new_study(spec: PipelineSpec, *, parallel: bool) -> "Study":
    """Return a study with the sampler and pruner of a pipeline; the same seed gives the same proposals.

    Args:
        spec: the pipeline.
        parallel: whether trials run side by side.
    """
    import optuna

    first = max(_RANDOM_TRIALS, len(spec.model.candidates))
    return optuna.create_study(
        # Hyperband assigns trials to its brackets by a hash of the study's name, which is random unless given
        study_name=spec.name,
        direction="maximize" if primary_metric(spec).greater_is_better else "minimize",
        sampler=SAMPLERS[spec.tuning.sampler].build(spec, first, parallel),
        pruner=_pruner(spec.tuning.pruner, first),
    )


def sampler_errors(spec: PipelineSpec) -> Iterator[tuple[Location, AssayError]]:
    """Yield why a pipeline's sampler or pruner cannot do its search; nothing is imported."""
    name = spec.tuning.sampler
    kind = SAMPLERS[name]
    if not spec.tuning.enabled:
        return
    if kind.package and find_spec(kind.package) is None:
        what = f"the sampler '{name}' needs the package {kind.package}, which is not installed"
        yield ("tuning", "sampler"), SpecError(what, remedy=f"{kind.remedy}, or use another sampler")
    if kind.joint and len(spec.model.candidates) > 1:
        what = f"the sampler '{name}' proposes all hyperparameters together, and those of several families differ"
        found, remedy = f"candidates {', '.join(spec.model.candidates)}", "name one candidate, or use tpe or random"
        yield ("tuning", "sampler"), SpecError(what, found=found, remedy=remedy)
        return
    space = _declared_space(spec)
    numbers = [each for each in space.values() if each.type != "categorical"]
    if space and len(numbers) < kind.numbers:
        what = f"the sampler '{name}' needs at least {kind.numbers} ranges of numbers"
        found = f"{len(numbers)} in tuning.search_space"
        yield ("tuning", "sampler"), SpecError(what, found=found, remedy="add ranges, or use another sampler")
    if kind.listed:
        yield from _uncounted(space)


def _declared_space(spec: PipelineSpec) -> dict[str, SearchParameter]:
    """Return the ranges that the file declares over those of its candidates; of import paths nothing is known."""
    asked = spec.tuning.asked_space
    if not spec.tuning.has_default_space:
        return asked
    named = [each for name in spec.model.candidates for each in spec.model.members_of(name) or (name,)]
    cards = {name: FAMILIES[name] for name in named if name in FAMILIES and name not in ENSEMBLES}
    own = {f"{name}.{key}": ranged for name, card in cards.items() for key, ranged in card.search_space.items()}
    return {name: ranged for name, ranged in own.items() if name.rpartition(".")[2] not in asked} | asked


def _uncounted(space: Mapping[str, SearchParameter]) -> Iterator[tuple[Location, AssayError]]:
    for key, ranged in space.items():
        if ranged.values(_MOST_POINTS) is not None:
            continue
        what = f"a grid needs countable values, and '{key}' is {ranged}"
        remedy = "give it a step, or make it categorical with choices, in tuning.search_space"
        yield ("tuning", "sampler"), SpecError(what, expected=f"at most {_MOST_POINTS:,} values", remedy=remedy)
        return


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep Optuna from writing to the console, unless it fails."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
