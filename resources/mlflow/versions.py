"""Registered versions and aliases in MLflow, and the alias of the champion, which follows the journal.

MLflow's call that sets an alias has no compare-and-set. So the aliases are for MLflow's own users: they are derived
from the journal, and set again where they were deleted or moved by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.promotion.champion import ChampionEntry
from resources.champion_journal import ChampionJournal
from resources.mlflow.connection import as_tracking_error, connect
from resources.mlflow.models import REPORT_TAG, VALUE_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
PREVIOUS = "previous_champion"
_WRITES = 3
_LEAD_TAG = "assay.description_lead"
"""The text before the card in a version's description, as it was written."""
_BEGIN = "Its report: "
_EARLIER_BEGIN = "[Report]("
_END = "\n\n"


def card_of(version: "ModelVersion") -> str:
    """Return the model card in a version's description, without the sentences and the link before it."""
    description, lead = str(version.description or ""), version.tags.get(_LEAD_TAG)
    return _earlier_card(description) if lead is None else description.removeprefix(lead)


def _earlier_card(description: str) -> str:
    """Return the card in a description of a release that did not record the text before it."""
    first, _, card = description.partition(_END)
    return card if _BEGIN in first or first.startswith(_EARLIER_BEGIN) else description


@dataclass(frozen=True, slots=True)
class ModelVersions:
    """The versions of one registered model.

    Attributes:
        tracking_uri: MLflow's.
        name: of the registered model.
    """

    tracking_uri: str
    name: str

    def version(self, version: str) -> "ModelVersion | None":
        """Return a version; None if there is no such model or version."""
        return self._found(f"version {version}", lambda client: client.get_model_version(self.name, version))

    def by_alias(self, alias: str) -> "ModelVersion | None":
        """Return the version that has an alias; None if none has."""
        return self._found(f"alias {alias}", lambda client: client.get_model_version_by_alias(self.name, alias))

    def follow(self, journal: ChampionJournal) -> bool:
        """Let the aliases follow the journal, again while it grows, so that the last one to finish sets the newest.

        Returns:
            Whether an alias differed.

        Raises:
            TrackingError: MLflow failed.
            StorageError: the artifact store failed.
        """
        changed, entry = False, journal.change()
        while entry is not None:
            changed = self._set(entry) or changed
            newest = journal.change() or entry
            if newest.number == entry.number:
                break
            entry = newest
        return changed

    def describe(self, version: str, value: float) -> None:
        """Show MLflow's users the metric with which a version was promoted."""
        client = connect(self.tracking_uri)
        with as_tracking_error(self.tracking_uri, f"version {version} of {self.name} cannot be described"):
            _repeat(client.set_model_version_tag, self.name, version, VALUE_TAG, repr(value))

    def link(self, version: str, report: str, outcome: str) -> None:
        """Lead MLflow's users to the report of a version.

        The description begins with plain sentences, as MLflow's list of versions shows its beginning without markup.

        Args:
            version: of the registered model.
            report: address of its page.
            outcome: what was decided on it, in one line.
        """
        client = connect(self.tracking_uri)
        with as_tracking_error(self.tracking_uri, f"version {version} of {self.name} cannot be linked to its report"):
            _repeat(client.set_model_version_tag, self.name, version, REPORT_TAG, report)
            lead, card = f"{outcome} {_BEGIN}{report}{_END}", card_of(client.get_model_version(self.name, version))
            # removed once more: a killed step wrote the description, and not yet the tag
            client.update_model_version(self.name, version, lead + card.removeprefix(lead))
            _repeat(client.set_model_version_tag, self.name, version, _LEAD_TAG, lead)

    def _set(self, entry: ChampionEntry) -> bool:
        """Set the aliases that an entry asks for; return whether one differed."""
        champion = entry.version if entry.names_champion else None
        wanted = {CHAMPION: champion, PREVIOUS: entry.replaced if entry.replaced != champion else None}
        client, differed = connect(self.tracking_uri), False
        with as_tracking_error(self.tracking_uri, f"the aliases of {self.name} cannot follow its champion journal"):
            for alias, version in wanted.items():
                found = self.by_alias(alias)
                present = str(found.version) if found else None
                if present == version or (version is not None and self.version(version) is None):
                    continue  # a version that was deleted in MLflow has no alias
                differed = True
                if version is not None:
                    _repeat(client.set_registered_model_alias, self.name, alias, version)
                else:
                    client.delete_registered_model_alias(self.name, alias)
        return differed

    def _found(self, what: str, ask: "Callable[[MlflowClient], ModelVersion]") -> "ModelVersion | None":
        from mlflow.exceptions import MlflowException

        client = connect(self.tracking_uri)
        with as_tracking_error(self.tracking_uri, f"{what} of {self.name} cannot be read"):
            try:
                return ask(client)
            except MlflowException as error:
                if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                    return None
                raise


def _repeat(write: Callable[..., object], *arguments: str) -> None:
    """Write to MLflow's database, again where it refuses one of two processes that insert the same row at once."""
    from mlflow.exceptions import MlflowException

    for attempt in range(1, _WRITES + 1):
        try:
            write(*arguments)
        except MlflowException as error:
            if error.error_code != "BAD_REQUEST" or attempt == _WRITES:
                raise
        else:
            return
