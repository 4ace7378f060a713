"""The model registry: versions in MLflow, the champion by its journal, and loading the champion.

The journal in the artifact store decides which version is champion, by compare-and-set. MLflow's aliases have no
compare-and-set: they follow the journal, for MLflow's own users, and are repaired where they differ.
"""

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import dagster as dg

from assay.errors import ChampionChangedError, TrackingError
from assay.promotion.champion import ChampionEntry, ChampionRecord, CurrentChampion, JournalEvent
from assay.promotion.decision import PromotionDecision
from assay.promotion.history import ChampionHistory
from assay.promotion.people import other_champion, without_champion
from assay.results.trained_model import TrainedModel
from assay.specs import PipelineSpec
from assay.specs.space import PRODUCTION
from resources.champion_journal import ChampionJournal
from resources.holdout_uses import HoldoutUses
from resources.mlflow.connection import as_tracking_error, connect
from resources.mlflow.logged_models import LoggedFiles, LoggedModelRecords, verified_bundle
from resources.mlflow.models import (
    DIGEST_TAG,
    MODEL_TAG,
    VALUE_TAG,
    ModelsOfRun,
    PublishedModel,
    RegisteredVersion,
    registered,
)
from resources.mlflow.tracker import TrackedRun
from resources.mlflow.versions import CHAMPION, PREVIOUS, ModelVersions
from resources.object_store import ObjectStoreResource

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of challenger and champion, with its decision.

    Attributes:
        challenger: the new model; its MLflow run holds it already.
        champion: the journal's entry of the champion that the decision was made against; None without a champion.
        decision: the verdict.
        card: markdown, the version's description.
        run_id: the Dagster run that compared them.
        published: the challenger in the artifact store; unless given, the challenger as it is in memory.
        evidence: digest of the evaluation report and the decision.
    """

    challenger: TrainedModel
    champion: ChampionEntry | None
    decision: PromotionDecision
    card: str
    run_id: str
    published: PublishedModel | None = None
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class RecordedModel:
    """A registered version, and the digest of its bundle."""

    model: TrainedModel
    digest: str


class MlflowModelRegistry(dg.ConfigurableResource[None]):
    """Versions of models in MLflow, and their champions.

    A promotion registers the version, appends to the journal and then sets the aliases. Stopped before the append it
    changed no champion; stopped after it, the next promotion, read or maintenance sets the aliases. An alias that was
    set or deleted by hand is reset likewise: people change the champion by `resources.mlflow.people`.
    """

    tracking_uri: str
    object_store: dg.ResourceDependency[ObjectStoreResource]

    def journal(self, name: str) -> ChampionJournal:
        """Return the champion journal of a registered model."""
        return ChampionJournal(self.object_store.open(), name)

    def holdout_uses(self, name: str) -> HoldoutUses:
        """Return the uses of a registered model's holdouts by its challengers."""
        return HoldoutUses(self.object_store.open(), name)

    def champion(self, name: str) -> ChampionEntry | None:
        """Return the current champion; None before the first, and after a withdrawal.

        A champion that the registry had before its journal began becomes the journal's first entry.

        Raises:
            StorageError: the artifact store failed.
            TrackingError: before the first entry the alias is on a version that Assay did not log, or MLflow failed.
        """
        change = self.change(name)
        return change if change and change.names_champion else None

    def change(self, name: str) -> ChampionEntry | None:
        """Return the newest entry that changes the champion, of a withdrawal too; None before the first.

        Raises:
            StorageError: the artifact store failed.
            TrackingError: as of `champion`.
        """
        journal = self.journal(name)
        return self._adopted(name) if journal.is_empty else journal.change()

    def history(self, name: str) -> ChampionHistory:
        """Return the whole journal, with the champion from before it began.

        Raises:
            StorageError: the artifact store failed.
            TrackingError: as of `champion`.
        """
        self.change(name)
        return self.journal(name).history()

    def versions(self, name: str) -> ModelVersions:
        """Return the versions of a registered model in MLflow."""
        return ModelVersions(self.tracking_uri, name)

    def current_champion(self, name: str) -> CurrentChampion | None:
        """Load the current champion; None before the first. Its alias is repaired if it differs.

        Raises:
            DigestMismatchError: its files are not those that were registered.
            StorageError: the artifact store failed.
            TrackingError: its version or its files are not in MLflow any more, or MLflow failed.
        """
        entry = self.champion(name)
        if entry is None:
            return None
        versions = self.versions(name)
        found = versions.version(entry.version)
        if found is None:
            raise TrackingError(
                "the current champion is not in the registry any more",
                where=f"registered model {name}",
                found=f"no version {entry.version}",
                expected=f"version {entry.version}, by entry {entry.number} of {self.journal(name).uri}",
                remedy=f"restore the version in MLflow; or {other_champion(entry.pipeline or name)}",
            )
        if versions.follow(self.journal(name)):
            dg.get_dagster_logger().warning(
                "%s: the aliases %s and %s are set again by the journal: version %s is the champion",
                name,
                CHAMPION,
                PREVIOUS,
                entry.version,
            )
        return CurrentChampion(self.loaded(found, entry), entry)

    def production_champion(self, spec: PipelineSpec) -> CurrentChampion | None:
        """Load the champion of production for a run of another space, changing nothing; None without a champion.

        Raises:
            DigestMismatchError: its files are not those that were registered.
            StorageError: the artifact store failed.
            TrackingError: its files are not in MLflow any more, or MLflow failed.
        """
        name = _in_production(spec)
        entry = ChampionJournal(self.object_store.production(), name).current()
        found = self.versions(name).version(entry.version) if entry else None
        return CurrentChampion(self.loaded(found, entry), entry) if entry and found else None

    def production_uses(self, spec: PipelineSpec) -> HoldoutUses:
        """Return the uses of production's holdouts, for a run of another space, which adds none."""
        return HoldoutUses(self.object_store.production(), _in_production(spec))

    def nearest_champion(self, spec: PipelineSpec) -> CurrentChampion | None:
        """Load the champion of the run's space, else production's; None where there is neither.

        Raises:
            AssayError: as of `current_champion` and `production_champion`.
        """
        own = self.current_champion(spec.registered_name)
        return self.production_champion(spec) if own is None and not spec.space.is_production else own

    def recorded(self, name: str, version: str) -> RecordedModel:
        """Load a version, whether it was champion or not.

        Raises:
            DigestMismatchError: its files are not those that were registered.
            TrackingError: the registry has no such version, or its files are gone.
        """
        found = self.versions(name).version(version)
        if found is None:
            raise TrackingError(
                "the registry has no such version",
                where=f"registered model {name}",
                found=f"version {version}",
                remedy="`assay champion` lists the versions of a pipeline",
            )
        entry = self.journal(name).history().entry_of(version) or self.entry_of(found, "adopted")
        return RecordedModel(self.loaded(found, entry), entry.digest)

    def former_champion(self, name: str) -> CurrentChampion | None:
        """Load the champion that the current one replaced by a promotion.

        None without a champion, where its version is gone, or where people chose the current one.

        Raises:
            DigestMismatchError: its files are not those that were registered.
            TrackingError: its files are not in MLflow any more, or MLflow failed.
        """
        history = self.history(name)
        chosen = history.champion is None or history.champion.event not in {"promoted", "approved"}
        entry = None if chosen or history.former is None else history.entry_of(history.former)
        found = self.versions(name).version(entry.version) if entry else None
        return CurrentChampion(self.loaded(found, entry), entry) if entry and found else None

    def apply(self, comparison: Comparison, spec: PipelineSpec) -> ChampionRecord:
        """Carry out a decision: promote the challenger, propose it to a person, or keep the champion.

        Raises:
            ChampionChangedError: the champion of the comparison is not the current one any more.
            TrackingError: the challenger was never logged, or MLflow refused.
            StorageError: the artifact store, which holds the journal, failed.
        """
        before, decision = comparison.champion, comparison.decision
        after = self._promoted(comparison, spec) if decision.promotes else before
        proposed = self._proposed(comparison, spec) if decision.needs_approval else None
        changed = before is not None and after is not None and before.version != after.version
        return ChampionRecord(
            pipeline=spec.name,
            registered_name=spec.registered_name,
            decision=decision,
            version=after.version if after else None,
            previous_version=before.version if before and changed else None,
            proposed_version=proposed.version if proposed else None,
        )

    def log_model(self, run: TrackedRun, model: TrainedModel) -> str:
        """Log a model to its run, and record the digests of its files in the artifact store; returns its URI.

        Raises:
            TrackingError: MLflow failed.
            StorageError: the artifact store failed.
        """
        with as_tracking_error(self.tracking_uri, "the model cannot be logged; the trained model itself is kept"):
            published = PublishedModel.of(model)
            logged = ModelsOfRun(run.client, run.experiment_id, run.run_id, self._records()).log(published)
            return f"models:/{logged.model_id}"

    def register(self, name: str, published: PublishedModel, card: str) -> RegisteredVersion:
        """Register a model as a version, logged first if need be; the same content gets no second one.

        Raises:
            DigestMismatchError: MLflow's files are not those that were logged, or not those of the store's commit.
            TrackingError: the model's run was deleted, or MLflow failed.
        """
        client = connect(self.tracking_uri)
        with as_tracking_error(self.tracking_uri, f"the model cannot be registered as {name}"):
            version, record = registered(client, name, card, published, self._records())
        expected = LoggedFiles(bundle=published.digest, files=record.files if record else "")
        again = f"delete the logged model {version.tags.get(MODEL_TAG)} in MLflow and run again, which logs it anew"
        with verified_bundle(self.tracking_uri, version, expected, again):
            return RegisteredVersion(name, str(version.version), expected.bundle, expected.files)

    def loaded(self, version: "ModelVersion", entry: ChampionEntry) -> TrainedModel:
        """Load a version, its files verified by the digests of an entry.

        Raises:
            DigestMismatchError: its files are not those that were registered.
            TrackingError: its files are gone, or MLflow failed.
        """
        from assay.learning.persistence import load_model

        expected = LoggedFiles(bundle=entry.digest, files=entry.files_digest)
        otherwise = other_champion(entry.pipeline or version.name)
        with verified_bundle(self.tracking_uri, version, expected, otherwise) as bundle:
            return load_model(bundle)

    def entry_of(self, version: "ModelVersion", event: Literal["adopted", "rolled_back"]) -> ChampionEntry:
        """Return an entry by what MLflow, and the artifact store's records, know of a version."""
        value, tags = version.tags.get(VALUE_TAG), version.tags
        record = self._records().read(tags.get(MODEL_TAG))
        return ChampionEntry(
            number=1,
            event=event,
            registered_name=version.name,
            version=str(version.version),
            digest=record.bundle if record else tags.get(DIGEST_TAG, ""),
            files_digest=record.files if record else "",
            value_at_promotion=float(value) if value else None,
            created_at=dt.datetime.now(dt.UTC),
        )

    def _promoted(self, comparison: Comparison, spec: PipelineSpec) -> ChampionEntry:
        """Register the challenger and append it to the journal; a decision that is outdated registers nothing."""
        before, versions = comparison.champion, self.versions(spec.registered_name)
        entry = self._entry_for(comparison, spec, "promoted")
        if before is None or before.version != entry.version:
            before = self.journal(spec.registered_name).append(entry, expected=before)
        versions.follow(self.journal(spec.registered_name))
        versions.describe(entry.version, comparison.decision.value_at_promotion)
        return before

    def _proposed(self, comparison: Comparison, spec: PipelineSpec) -> ChampionEntry | None:
        """Register the challenger and ask for a person's approval; one that waits already, or is champion, is not."""
        before, journal = comparison.champion, self.journal(spec.registered_name)
        entry = self._entry_for(comparison, spec, "awaiting_approval")
        while before is None or before.version != entry.version:
            history = journal.history()
            journal.require(history.champion, before)
            waiting = history.waiting.get(entry.version)
            if waiting and waiting.against == entry.against:
                return waiting
            if appended := journal.append_to(history, entry):
                return appended
        return None

    def _entry_for(self, comparison: Comparison, spec: PipelineSpec, event: JournalEvent) -> ChampionEntry:
        name, before, decision = spec.registered_name, comparison.champion, comparison.decision
        if before is None:
            self.champion(name)  # one from before the journal counts
        self.journal(name).require_current(before)
        published = comparison.published or PublishedModel.of(comparison.challenger)
        version = self.register(name, published, comparison.card)
        return ChampionEntry(
            number=1,
            event=event,
            registered_name=name,
            version=version.version,
            digest=version.digest,
            files_digest=version.files_digest,
            replaced=before.version if before else None,
            against=before.number if before else 0,
            value_at_promotion=decision.value_at_promotion,
            decision=decision,
            evidence=comparison.evidence,
            reason=decision.reason,
            pipeline=spec.name,
            run_id=comparison.run_id,
            created_at=dt.datetime.now(dt.UTC),
        )

    def _adopted(self, name: str) -> ChampionEntry | None:
        """Append the registry's champion to an empty journal, and return it; None without a champion.

        Raises:
            TrackingError: somebody else's version has the alias.
        """
        versions = self.versions(name)
        found = versions.by_alias(CHAMPION)
        if found is None:
            return None
        if not found.tags.get(DIGEST_TAG):
            raise TrackingError(
                "the alias of the champion is on a version that Assay did not log",
                where=f"registered model {name}",
                found=f"alias {CHAMPION} on version {found.version}, {found.source}",
                expected="a version that a promotion registered, or no alias",
                remedy=f"remove the alias in MLflow; or {without_champion(name)}, which removes it",
            )
        previous, journal = versions.by_alias(PREVIOUS), self.journal(name)
        replaced = str(previous.version) if previous else None
        entry = self.entry_of(found, "adopted").model_copy(update={"replaced": replaced})
        try:
            return journal.append(entry, expected=None)
        except ChampionChangedError:
            return journal.change()  # another process adopted it first

    def _records(self) -> LoggedModelRecords:
        return LoggedModelRecords(self.object_store.open())


def _in_production(spec: PipelineSpec) -> str:
    return spec.in_space(PRODUCTION).registered_name
