"""The model registry: versions in MLflow, the champion by its journal, and loading the champion.

The journal in the artifact store decides which version is champion, by compare-and-set. MLflow's aliases have no
compare-and-set: they follow the journal, for MLflow's own users, and are repaired where they differ.
"""

import datetime as dt
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import dagster as dg

from assay.errors import ChampionChangedError, DigestMismatchError, TrackingError
from assay.promotion.champion import ChampionEntry, ChampionRecord, CurrentChampion
from assay.promotion.decision import PromotionDecision
from assay.results.trained_model import TrainedModel
from assay.specs import PipelineSpec
from resources.champion_journal import ChampionJournal
from resources.mlflow.connection import as_tracking_error, connect
from resources.mlflow.models import BUNDLE, DIGEST_TAG, VALUE_TAG, RegisteredVersion, registered
from resources.object_store import ObjectStoreResource
from resources.store.local import bundle_digest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
PREVIOUS = "previous_champion"
_WRITES = 3


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of challenger and champion, with its decision.

    Attributes:
        challenger: the new model; its MLflow run holds it already.
        champion: the journal's entry of the champion that the decision was made against; None without a champion.
        decision: the verdict.
        card: markdown, the version's description.
        run_id: the Dagster run that compared them.
    """

    challenger: TrainedModel
    champion: ChampionEntry | None
    decision: PromotionDecision
    card: str
    run_id: str


class MlflowModelRegistry(dg.ConfigurableResource[None]):
    """Versions of models in MLflow, and their champions.

    A promotion registers the version, appends to the journal and then sets the aliases. Stopped before the append it
    changed no champion; stopped after it, the next promotion or read sets the aliases. An alias that was set by hand is
    reset likewise: `champion_rollback_job` changes the champion.
    """

    tracking_uri: str
    object_store: dg.ResourceDependency[ObjectStoreResource]

    def journal(self, name: str) -> ChampionJournal:
        """Return the champion journal of a registered model."""
        return ChampionJournal(self.object_store.open(), name)

    def champion(self, name: str) -> ChampionEntry | None:
        """Return the current champion; None before the first.

        A champion that the registry had before its journal began becomes the journal's first entry.

        Raises:
            StorageError: the artifact store failed.
            TrackingError: MLflow failed.
        """
        return self.journal(name).current() or self._adopted(name)

    def current_champion(self, name: str) -> CurrentChampion | None:
        """Load the current champion; None before the first. Its alias is repaired if it differs.

        Raises:
            DigestMismatchError: its files are not those that were registered.
            StorageError: the artifact store failed.
            TrackingError: its version is not in the registry any more, or MLflow failed.
        """
        entry = self.champion(name)
        if entry is None:
            return None
        found = self._version(name, entry.version)
        if found is None:
            raise TrackingError(
                "the current champion is not in the registry any more",
                where=f"registered model {name}",
                found=f"no version {entry.version}",
                expected=f"version {entry.version}, by entry {entry.number} of {self.journal(name).uri}",
                remedy="restore the version in MLflow, or bring another one back with champion_rollback_job; to start "
                "without a champion remove the journal",
            )
        if CHAMPION not in found.aliases:
            dg.get_dagster_logger().warning(
                "%s: the alias %s is set again on version %s, the champion by the journal",
                name,
                CHAMPION,
                entry.version,
            )
            self._set_aliases(entry)
        return CurrentChampion(self._loaded(found, entry.digest), entry)

    def apply(self, comparison: Comparison, spec: PipelineSpec) -> ChampionRecord:
        """Carry out a decision: register and promote the challenger, or keep the champion.

        Args:
            comparison: challenger, champion and the decision.
            spec: the pipeline.

        Returns:
            The current champion's version after the decision.

        Raises:
            ChampionChangedError: the champion of the comparison is not the current one any more.
            TrackingError: the challenger was never logged, or MLflow refused.
            StorageError: the artifact store, which holds the journal, failed.
        """
        before = comparison.champion
        after = self._promoted(comparison, spec) if comparison.decision.promotes else before
        changed = before is not None and after is not None and before.version != after.version
        return ChampionRecord(
            pipeline=spec.name,
            registered_name=spec.registered_name,
            decision=comparison.decision,
            version=after.version if after else None,
            previous_version=before.version if before and changed else None,
        )

    def register(self, name: str, model: TrainedModel, card: str) -> RegisteredVersion:
        """Register a logged model as a version; the same content gets no second one.

        Raises:
            TrackingError: the model's run holds no model.
        """
        client = connect(self.tracking_uri)
        with as_tracking_error(self.tracking_uri, f"the model cannot be registered as {name}"):
            return registered(client, name, model.manifest.annotations["mlflow_run_id"], card)

    def roll_back(self, name: str, version: str | None = None, *, run_id: str, reason: str = "") -> ChampionEntry:
        """Make an earlier version champion again, after its files were verified.

        Args:
            name: of the registered model.
            version: which; the champion before the current one unless given.
            run_id: the Dagster run that rolls back.
            reason: one sentence for people.

        Returns:
            The journal's new entry; the version that it replaced can be brought back in the same way.

        Raises:
            TrackingError: there is no champion, no such version, or it is the champion already.
            ChampionChangedError: the champion changed meanwhile.
            DigestMismatchError: the version's files are not those that were registered.
        """
        former = self.champion(name)
        wanted = version or (former.replaced if former else None)
        found = self._version(name, wanted) if wanted else None
        if former is None or found is None or str(found.version) == former.version:
            raise TrackingError(
                "there is nothing to roll back to",
                where=f"registered model {name}",
                found=f"champion: version {former.version}" if former else "no champion",
                expected=f"version {wanted}" if wanted else "an earlier champion in the journal",
                remedy="name a version of the registry that is not the champion",
            )
        journal = self.journal(name)
        earlier = next((each for each in reversed(journal.history()) if each.version == str(found.version)), None)
        entry = _entry_of(found, "rolled_back").model_copy(
            update={"replaced": former.version, "reason": reason, "run_id": run_id, "pipeline": former.pipeline}
            | ({"digest": earlier.digest, "value_at_promotion": earlier.value_at_promotion} if earlier else {})
        )
        self._loaded(found, entry.digest)
        entry = journal.append(entry, expected=former)
        self._set_aliases(entry)
        return entry

    def _promoted(self, comparison: Comparison, spec: PipelineSpec) -> ChampionEntry:
        """Register the challenger and append it to the journal; a decision that is outdated registers nothing."""
        name, before, decision = spec.registered_name, comparison.champion, comparison.decision
        journal = self.journal(name)
        if before is None:
            self.champion(name)  # one from before the journal counts
        journal.require_current(before)
        version = self.register(name, comparison.challenger, comparison.card)
        entry = ChampionEntry(
            number=1,
            event="promoted",
            registered_name=name,
            version=version.version,
            digest=version.digest,
            replaced=before.version if before else None,
            value_at_promotion=decision.challenger_value,
            decision=decision,
            reason=decision.reason,
            pipeline=spec.name,
            run_id=comparison.run_id,
            created_at=dt.datetime.now(dt.UTC),
        )
        is_champion = before is not None and before.version == version.version
        entry = before if before and is_champion else journal.append(entry, expected=before)
        self._set_aliases(entry)
        self._record_value(version, decision)
        return entry

    def _adopted(self, name: str) -> ChampionEntry | None:
        """Append the registry's champion to an empty journal; None if there is none."""
        found = self._version_by_alias(name, CHAMPION)
        if found is None:
            return None
        previous = self._version_by_alias(name, PREVIOUS)
        entry = _entry_of(found, "adopted").model_copy(update={"replaced": str(previous.version) if previous else None})
        journal = self.journal(name)
        try:
            return journal.append(entry, expected=None)
        except ChampionChangedError:
            return journal.current()  # another process adopted it first

    def _set_aliases(self, entry: ChampionEntry) -> None:
        """Let the aliases follow the journal: again while it grows, so that the last one to finish sets the newest."""
        client, name, journal = connect(self.tracking_uri), entry.registered_name, self.journal(entry.registered_name)
        while True:
            with as_tracking_error(self.tracking_uri, f"the aliases of {name} cannot follow its champion journal"):
                _repeat(client.set_registered_model_alias, name, CHAMPION, entry.version)
                if entry.replaced is not None and self._version(name, entry.replaced) is not None:
                    _repeat(client.set_registered_model_alias, name, PREVIOUS, entry.replaced)
            newest = journal.current() or entry
            if newest.number == entry.number:
                return
            entry = newest

    def _record_value(self, version: RegisteredVersion, decision: PromotionDecision) -> None:
        """Show MLflow's users the metric with which a version was promoted."""
        client, name = connect(self.tracking_uri), version.name
        with as_tracking_error(self.tracking_uri, f"version {version.version} of {name} cannot be described"):
            _repeat(client.set_model_version_tag, name, version.version, VALUE_TAG, repr(decision.challenger_value))

    def _loaded(self, version: "ModelVersion", expected: str) -> TrainedModel:
        from assay.learning.persistence import load_model

        with tempfile.TemporaryDirectory(prefix="assay-champion-") as folder:
            with as_tracking_error(self.tracking_uri, f"version {version.version} of {version.name} cannot be fetched"):
                bundle = Path(_download(self.tracking_uri, version, folder))
            digest = bundle_digest(bundle)
            if digest != expected:
                raise DigestMismatchError(
                    "the registered model's files are not those that were registered",
                    where=f"{version.name} version {version.version}",
                    found=f"digest {digest[:16]}",
                    expected=f"digest {expected[:16] or 'none'}",
                    remedy="restore the registry's artifacts, or promote another version",
                )
            return load_model(bundle)

    def _version(self, name: str, version: str) -> "ModelVersion | None":
        return self._found(f"version {version} of {name}", lambda client: client.get_model_version(name, version))

    def _version_by_alias(self, name: str, alias: str) -> "ModelVersion | None":
        return self._found(f"alias {alias} of {name}", lambda client: client.get_model_version_by_alias(name, alias))

    def _found(self, what: str, ask: "Callable[[MlflowClient], ModelVersion]") -> "ModelVersion | None":
        """Return a version; None if there is no such model or version."""
        from mlflow.exceptions import MlflowException

        client = connect(self.tracking_uri)
        with as_tracking_error(self.tracking_uri, f"{what} cannot be read"):
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


def _entry_of(found: "ModelVersion", event: Literal["adopted", "rolled_back"]) -> ChampionEntry:
    """Return an entry by what MLflow knows of a version."""
    value = found.tags.get(VALUE_TAG)
    return ChampionEntry(
        number=1,
        event=event,
        registered_name=found.name,
        version=str(found.version),
        digest=found.tags.get(DIGEST_TAG, ""),
        value_at_promotion=float(value) if value else None,
        created_at=dt.datetime.now(dt.UTC),
    )


def _download(tracking_uri: str, version: "ModelVersion", folder: str) -> str:
    """Fetch the bundle from the version's source; a `models:/` address would use MLflow's global tracking URI."""
    from mlflow.artifacts import download_artifacts

    source = f"{str(version.source).rstrip('/')}/{BUNDLE}"
    path: str = download_artifacts(artifact_uri=source, dst_path=folder, tracking_uri=tracking_uri)
    return path
