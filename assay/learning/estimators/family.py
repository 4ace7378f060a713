"""Model families: how one is declared, found by name or import path, and becomes an estimator.

A family is declared once, by `register(FamilyCard(...))` in `families`: name, estimators, search space, capabilities,
the extra that installs it, and what its fitted models store. Everything else derives from the card.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from assay.errors import LearningError, UnknownModelError, did_you_mean
from assay.importing import import_object, import_users_object, is_import_path
from assay.learning.estimators.early_stopping import EarlyStopping
from assay.specs.pipeline import Task
from assay.specs.preprocessing import CATEGORIES, CategoryEncoding, PreprocessingSpec, model_parameters
from assay.specs.tuning import SearchParameter

Encoding: TypeAlias = Literal["one_hot", "ordinal", "frame"]
Continuation: TypeAlias = Callable[[Any, Any, Any, Any, dict[str, Any]], Any]
"""Takes a fitted estimator (not changed), an unfitted one, rows, target and further arguments of `fit`; returns the
continued estimator."""


def names(text: str) -> frozenset[str]:
    """Return the names in a text."""
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class NativeCategories:
    """How a family takes columns of pandas' `category`.

    Attributes:
        settings: constructor arguments that it needs for them.
        bounded: whether columns of more than `max_categories` are better encoded before it.
        classifier: import path of the estimator for classification; the family's own unless set.
        regressor: import path of the estimator for regression; the family's own unless set.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    bounded: bool = True
    classifier: str | None = None
    regressor: str | None = None


@dataclass(frozen=True, slots=True)
class FamilyCard:
    """A family as it is declared, without importing its library.

    Attributes:
        name: the name used in pipeline files.
        encoding: the preprocessing that suits it: scaled and imputed columns, or raw numbers and ordinal codes; an
            ensemble takes the feature frame.
        classifier: import path of the estimator for classification, if there is one.
        regressor: import path of the estimator for regression, if there is one.
        continuation: fits on from a fitted state; None where that is impossible.
        dense: whether it refuses sparse matrices.
        threads_parameter: constructor argument for the number of threads; None if it has none that works.
        extra: the package extra that installs it, if it is optional.
        distributions: packages beside scikit-learn on which its fitted state depends; those installed are recorded.
        stored_types: full names of the classes in a stored model, beside those that skops or every model needs.
        defaults: constructor arguments that differ from the library's own defaults.
        member_defaults: further ones of a member of a stack or vote.
        parameters: names of the constructor's parameters, so that a pipeline file is checked without the library.
        classifier_parameters: those of the classifier alone.
        regressor_parameters: those of the regressor alone.
        further_parameters: parameters that the constructor takes without naming them.
        search_space: range of each parameter that is worth searching.
        stopping: how a booster finds its number of rounds on validation rows; None for other families.
        categories: encodings of categories that a search tries, the family's own first; that of `encoding` unless set.
        native: how it takes categories; None where it takes numbers alone.
        weighs_rows: whether a fit takes weights of rows.
        monotone: parameter that holds a sign for each column, by which predictions may only rise or fall.
        interactions: parameter that holds the groups of columns by which a tree may split.
        constraints_as: makes of a list of signs or groups what these parameters take.
        cost: rank of what a fit costs: 1 for a linear model, 2 for a booster, 3 for others. Cheap ones are tried first,
            and chosen in a tie.
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
    member_defaults: Mapping[str, Any] = field(default_factory=dict)
    parameters: frozenset[str] = frozenset()
    classifier_parameters: frozenset[str] = frozenset()
    regressor_parameters: frozenset[str] = frozenset()
    further_parameters: frozenset[str] = frozenset()
    search_space: Mapping[str, SearchParameter] = field(default_factory=dict)
    stopping: EarlyStopping | None = None
    categories: tuple[CategoryEncoding, ...] = ()
    native: NativeCategories | None = None
    weighs_rows: bool = True
    monotone: str | None = None
    interactions: str | None = None
    constraints_as: Callable[[list[Any]], Any] = list
    cost: int = 3

    def path(self, task: Task) -> str | None:
        """Return the import path of the estimator for a task."""
        return self.classifier if task.is_classification else self.regressor

    @property
    def estimator_paths(self) -> tuple[str, ...]:
        """Import paths of all its estimators, for either task and with native categories."""
        cards = (self, self.native) if self.native is not None else (self,)
        return tuple(path for each in cards for path in (each.classifier, each.regressor) if path is not None)

    @property
    def member_space(self) -> dict[str, SearchParameter]:
        """The ranges of a member of a stack or vote, which cannot stop early: its rounds are searched."""
        rounds = {self.stopping.rounds: self.stopping.range} if self.stopping and self.stopping.range else {}
        return {**rounds, **self.full_space}

    @property
    def full_space(self) -> dict[str, SearchParameter]:
        """The ranges of hyperparameters, and the encodings of categories where there are several."""
        if len(self.categories) < 2:  # noqa: PLR2004 - one is no choice
            return dict(self.search_space)
        return {**self.search_space, CATEGORIES: SearchParameter(type="categorical", choices=self.categories)}

    def category_encoding(self, preparation: PreprocessingSpec) -> CategoryEncoding | None:
        """Return how a pipeline's categories are encoded for the family; None for one that takes the frame."""
        if self.encoding == "frame":
            return None
        if preparation.categories != "auto":
            return preparation.categories
        return self.categories[0] if self.categories else self.encoding

    def parameter_names(self, task: Task) -> frozenset[str]:
        """Return the names of all hyperparameters for a task, as declared, and that of the encoding of categories."""
        own = self.classifier_parameters if task.is_classification else self.regressor_parameters
        return self.parameters | own | self.further_parameters | {CATEGORIES}


FAMILIES: dict[str, FamilyCard] = {}
"""Every registered family by name."""


def register(card: FamilyCard) -> None:
    """Add a family."""
    FAMILIES[card.name] = card


@dataclass(frozen=True, slots=True)
class Family:
    """A family for one task, its library imported: the estimator class, and what its card says."""

    card: FamilyCard
    estimator: Any

    @property
    def name(self) -> str:
        """The name used in pipeline files."""
        return self.card.name

    def parameter_names(self) -> frozenset[str]:
        """Return the names of all hyperparameters, and that of the encoding of categories."""
        own = frozenset(self._constructed({}).get_params()) | self.card.defaults.keys()
        return own | self.card.further_parameters | {CATEGORIES}

    def natively(self, task: Task) -> "Family":
        """Return the same family as it takes categories; itself where it takes numbers alone."""
        native = self.card.native
        if native is None:
            return self
        path = native.classifier if task.is_classification else native.regressor
        estimator = self.estimator if path is None else import_object(path, where="model.candidates")
        return replace(
            self, card=replace(self.card, defaults={**self.card.defaults, **native.settings}), estimator=estimator
        )

    def build(self, parameters: Mapping[str, Any], seed: int, threads: int) -> Any:
        """Build an unfitted estimator.

        Args:
            parameters: hyperparameters; they override the family's defaults, the seed and the threads. Those of
                preprocessing steps are left out.
            seed: for `random_state`, if the family has it.
            threads: for `threads_parameter`, if the family has it.

        Raises:
            LearningError: the estimator refuses a value.
        """
        settings = {"random_state": seed, self.card.threads_parameter: threads}
        names = self.parameter_names()
        known = {name: value for name, value in settings.items() if name in names}
        return self._constructed(known | model_parameters(parameters))

    def values(self, parameters: Mapping[str, Any], seed: int, threads: int) -> dict[str, Any]:
        """Return all hyperparameters, those that are not given included.

        Raises:
            LearningError: the estimator refuses a value.
        """
        return dict(self.build(parameters, seed, threads).get_params())

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


def family_names(task: Task | None = None) -> tuple[str, ...]:
    """Return the names of all families, or of those for one task; custom models are not included."""
    return tuple(name for name, card in FAMILIES.items() if task is None or card.path(task))


def card_of(name: str, task: Task) -> FamilyCard:
    """Return the card of a family, or of a model of the user's own by import path; nothing is imported.

    Raises:
        UnknownModelError: no family has that name, or it does not do the task.
    """
    if is_import_path(name):
        # scaled, imputed, dense columns suit almost all models
        return FamilyCard(name=name, encoding="one_hot", classifier=name, regressor=name, dense=True)
    card = FAMILIES.get(name)
    if card is None or card.path(task) is None:
        raise unknown_family(name, task)
    return card


def family(name: str, task: Task) -> Family:
    """Return a family, its library imported.

    Args:
        name: a known name, or ``package.module:Class``.
        task: what is predicted.

    Raises:
        UnknownModelError: as of `card_of`; or its library is not installed, or the class is no estimator.
    """
    card = card_of(name, task)
    if is_import_path(name):
        return Family(card, _users_estimator(name))
    try:
        estimator = import_object(str(card.path(task)), where="model.candidates", error=UnknownModelError)
    except UnknownModelError as error:
        if card.extra is None:
            raise
        raise UnknownModelError(
            f"the model family '{name}' is not installed",
            where="model.candidates",
            found=error.found,
            remedy=f"install assay[{card.extra}]",
        ) from error
    return Family(card, estimator)


_REQUIRED_METHODS = ("fit", "predict", "get_params", "set_params")


def _users_estimator(path: str) -> Any:
    estimator = import_users_object(path, where="model.candidates", error=UnknownModelError)
    missing = [name for name in _REQUIRED_METHODS if not callable(getattr(estimator, name, None))]
    if missing or not isinstance(estimator, type):
        raise UnknownModelError(
            f"'{path}' is no estimator",
            where="model.candidates",
            found=f"missing: {', '.join(missing)}" if missing else f"{type(estimator).__name__}, not a class",
            expected=f"a class with {', '.join(_REQUIRED_METHODS)}",
            remedy="derive it from sklearn.base.BaseEstimator, or wrap it in a class that is",
        )
    return estimator


ALIASES = {
    "xgb": "xgboost",
    "lgbm": "lightgbm",
    "gbm": "hist_gradient_boosting",
    "gradient_boosting": "hist_gradient_boosting",
    "histgradientboosting": "hist_gradient_boosting",
    "rf": "random_forest",
    "randomforest": "random_forest",
    "logreg": "logistic_regression",
    "logisticregression": "logistic_regression",
    "linearregression": "linear_regression",
    "ols": "linear_regression",
}
"""What other libraries and registries call a family; the endings `classifier` and `regressor` are left out."""


def meant_family(name: str) -> str:
    """Return the family that a name of another registry means, `xgboost` for `XGBClassifier`; empty if unknown."""
    plain = name.rpartition(".")[2].lower().replace("-", "_").replace(" ", "_")
    plain = plain.removesuffix("classifier").removesuffix("regressor").rstrip("_")
    plain = ALIASES.get(plain, plain)
    begun = sorted((family for family in FAMILIES if plain.startswith(family)), key=len)
    nearest = difflib.get_close_matches(plain, FAMILIES, n=1, cutoff=0.8)
    return next(iter((*begun[-1:], *nearest)), "")


def unknown_family(name: str, *tasks: Task) -> UnknownModelError:
    """Return the error of a family that there is not, or not for these tasks, with the nearest one by meaning."""
    known = list(dict.fromkeys(each for task in tasks for each in family_names(task)))
    meant = meant_family(name)
    hint = f"; did you mean '{meant}'?" if meant in known and meant != name else did_you_mean(name, known)
    what = f"'{name}' does not do {' or '.join(tasks)}" if name in FAMILIES else f"there is no model family '{name}'"
    return UnknownModelError(
        f"{what}{hint}",
        where="model.candidates",
        expected=f"one of {', '.join(known)}, or package.module:Class",
        remedy="correct the name, or change task",
    )
