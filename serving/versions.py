"""Versions of a model that the endpoint serves, and where they come from."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Protocol

from assay.errors import TrackingError
from assay.prediction.predictor import Predictor
from assay.promotion.champion import ChampionEntry
from assay.results.trained_model import TrainedModel
from resources.mlflow.registry import MlflowModelRegistry
from resources.mlflow.versions import card_of

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """One version that answers requests.

    Attributes:
        entry: of the champion journal that named it.
        predictor: of the verified model.
        card: markdown.
        warning: what people should know of how it is served; empty for nothing.
        takes_rows_together: whether rows of several requests are predicted at once.
        is_fixed: whether it is served whatever becomes champion.
    """

    entry: ChampionEntry
    predictor: Predictor
    card: str = ""
    warning: str = ""
    takes_rows_together: bool = False
    is_fixed: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it takes."""
        return tuple(column.name for column in self.predictor.intake.columns)


class Champions(Protocol):
    """The champions of one registered model."""

    @property
    def is_fixed(self) -> bool:
        """Whether it is one version, whatever becomes champion."""

    def entry(self) -> ChampionEntry | None:
        """Return the entry that names the current champion; None without one.

        Raises:
            AssayError: a store does not answer.
        """

    def load(self, entry: ChampionEntry) -> tuple[TrainedModel, str]:
        """Return the verified model of an entry, and its card.

        Raises:
            DigestMismatchError: its files are not those that were registered.
            TrackingError: its version or its files are gone, or MLflow failed.
        """


@dataclass(frozen=True, slots=True)
class RegisteredChampions:
    """The champions of a registered model by its journal; nothing is repaired or recorded on the way.

    Attributes:
        registry: of models.
        name: of the registered model.
    """

    registry: MlflowModelRegistry
    name: str
    is_fixed: ClassVar[bool] = False

    def entry(self) -> ChampionEntry | None:
        """Return the entry that names the current champion."""
        return self.registry.champion(self.name)

    def load(self, entry: ChampionEntry) -> tuple[TrainedModel, str]:
        """Return the model of an entry, its files compared with the entry's digests, and its card."""
        found = _version_of(self.registry, self.name, entry.version, "restore the version in MLflow, or roll back")
        return self.registry.loaded(found, entry).for_predictions(), card_of(found)


@dataclass(frozen=True)
class FixedVersion:
    """One registered version in place of champions: what becomes champion changes nothing.

    Attributes:
        registry: of models.
        name: of the registered model.
        version: that is served.
    """

    registry: MlflowModelRegistry
    name: str
    version: str
    is_fixed: ClassVar[bool] = True

    def entry(self) -> ChampionEntry:
        """Return an entry that names the version; MLflow is asked once."""
        return self._entry

    @cached_property
    def _entry(self) -> ChampionEntry:
        return self.registry.entry_of(self._found, "adopted")

    def load(self, entry: ChampionEntry) -> tuple[TrainedModel, str]:
        """Return the model, its files compared with what was recorded when they were registered, and its card."""
        return self.registry.loaded(self._found, entry).for_predictions(), card_of(self._found)

    @property
    def _found(self) -> "ModelVersion":
        return _version_of(self.registry, self.name, self.version, "correct ASSAY_SERVE_VERSION")


def _version_of(registry: MlflowModelRegistry, name: str, version: str, remedy: str) -> "ModelVersion":
    found = registry.versions(name).version(version)
    if found is None:
        raise TrackingError(
            "the version to serve is not in the registry",
            where=f"registered model {name}",
            found=f"no version {version}",
            remedy=remedy,
        )
    return found
