"""Model families: how one is declared, and how it becomes an estimator.

A family is declared once, by `register(FamilyCard(...))` in its own module: name, estimators, search space,
capabilities, the extra that installs it, and what its fitted models store. Everything else derives from the card.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from assay.errors import LearningError
from assay.specs.learning import SearchParameter
from assay.specs.pipeline import Task

Encoding: TypeAlias = Literal["one_hot", "ordinal"]
Continuation: TypeAlias = Callable[[Any, Any, Any, Any], Any]
"""Takes a fitted estimator (not changed), an unfitted one, rows and target; returns the continued estimator."""
# trees, or rounds of boosting, that one continuation adds: a fixed number, so that models grow evenly
ADDED_TREES = 50


@dataclass(frozen=True, slots=True)
class FamilyCard:
    """A family as its module declares it, without importing its library.

    Attributes:
        name: the name used in pipeline files.
        encoding: the preprocessing that suits it: scaled and imputed columns, or raw numbers and ordinal codes.
        classifier: import path of the estimator for classification, if there is one.
        regressor: import path of the estimator for regression, if there is one.
        continuation: fits on from a fitted state; None where that is impossible.
        dense: whether it refuses sparse matrices.
        threads_parameter: constructor argument for the number of threads; None if it has none that works.
        extra: the package extra that installs it, if it is optional.
        distributions: packages beside scikit-learn on which its fitted state depends; those installed are recorded.
        stored_types: full names of the classes in a stored model, beside those that skops or every model needs.
        defaults: constructor arguments that differ from the library's own defaults.
        further_parameters: parameters that the constructor takes without naming them.
        search_space: range of each parameter that is worth searching.
    """

    name: str
    encoding: Encoding
    classifier: str | None = None
    regressor: str | None = None
    continuation: Continuation | None = None
    dense: bool = False
    threads_parameter: str | None = "n_jobs"
    extra: str | None = None
    distributions: tuple[str, ...] = ()
    stored_types: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    further_parameters: frozenset[str] = frozenset()
    search_space: Mapping[str, SearchParameter] = field(default_factory=dict)

    def path(self, task: Task) -> str | None:
        """Return the import path of the estimator for a task."""
        return self.classifier if task.is_classification else self.regressor


FAMILIES: dict[str, FamilyCard] = {}
"""Every registered family by name."""


def register(card: FamilyCard) -> FamilyCard:
    """Add a family, and return its card."""
    FAMILIES[card.name] = card
    return card


@dataclass(frozen=True, slots=True)
class Family:
    """A family for one task, its library imported.

    Attributes:
        card: its description.
        task: what it predicts.
        estimator: the estimator class.
    """

    card: FamilyCard
    task: Task
    estimator: Any

    @property
    def name(self) -> str:
        """The name used in pipeline files."""
        return self.card.name

    @property
    def encoding(self) -> Encoding:
        """The preprocessing that suits it."""
        return self.card.encoding

    @property
    def incremental(self) -> bool:
        """Whether it can continue from a fitted state."""
        return self.card.continuation is not None

    def default_search_space(self) -> dict[str, SearchParameter]:
        """Return the ranges searched unless the pipeline names its own."""
        return dict(self.card.search_space)

    def parameter_names(self) -> tuple[str, ...]:
        """Return the names of all hyperparameters, sorted."""
        return tuple(sorted({*self._constructed({}).get_params(), *self.card.defaults, *self.card.further_parameters}))

    def accepts(self, parameter: str) -> bool:
        """Return whether there is a hyperparameter of that name."""
        return parameter in self.parameter_names()

    def build(self, parameters: Mapping[str, Any], seed: int, threads: int) -> Any:
        """Build an unfitted estimator.

        Args:
            parameters: hyperparameters; they override the family's defaults, the seed and the threads.
            seed: for `random_state`, if the family has it.
            threads: for `threads_parameter`, if the family has it.

        Returns:
            An object with fit, predict, get_params and set_params.

        Raises:
            LearningError: the estimator refuses a value.
        """
        settings = {"random_state": seed, self.card.threads_parameter: threads}
        names = self.parameter_names()
        taken = {name: value for name, value in settings.items() if name in names}
        return self._constructed({**taken, **parameters})

    def _constructed(self, parameters: Mapping[str, Any]) -> Any:
        try:
            estimator = self.estimator(**{**self.card.defaults, **parameters})
            if hasattr(estimator, "_parameter_constraints"):  # scikit-learn itself checks at fit only
                estimator._validate_params()  # noqa: SLF001 - the check has no public name
        except Exception as error:  # a constructor of the user's own may raise anything
            raise LearningError(
                f"'{self.name}' refuses its hyperparameters",
                where="model.hyperparameters",
                found=str(error),
                remedy="correct the value in model.hyperparameters or tuning.search_space",
            ) from error
        return estimator
