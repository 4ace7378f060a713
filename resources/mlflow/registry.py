"""The model registry: versions in MLflow, the champion by its journal, and loading the champion.

The journal in the artifact store decides which version is champion, by compare-and-set. MLflow's aliases have no
compare-and-set: they follow the journal, for MLflow's own users, and are repaired where they differ.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg

from assay.errors import ChampionChangedError, TrackingError
from assay.promotion.champion import ChampionEntry, ChampionRecord, CurrentChampion
from assay.promotion.decision import PromotionDecision
from assay.results.trained_model import TrainedModel
from assay.specs import PipelineSpec
from resources.champion_journal import ChampionJournal
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
from resources.object_store import ObjectStoreResource

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
        published: the challenger in the artifact store; unless given, the challenger as it is in memory.
    """

    challenger: TrainedModel
    champion: ChampionEntry | None
    decision: PromotionDecision
    card: str
    run_id: str
    published: PublishedModel | None = None


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
        """Return the current champion; None before the first, and after a withdrawal.

        A champion that the registry had before its journal began becomes the journal's first entry.

        Raises:
            StorageError: the artifact store failed.
            TrackingError: before the first entry the alias is on a version that Assay did not log, or MLflow failed.
        """
        newest = self.journal(name).newest() or self._adopted(name)
        return newest if newest and newest.names_champion else None

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
        found = self._version(name, entry.version)
        if found is None:
            raise TrackingError(
                "the current champion is not in the registry any more",
                where=f"registered model {name}",
                found=f"no version {entry.version}",
                expected=f"version {entry.version}, by entry {entry.number} of {self.journal(name).uri}",
                remedy=f"restore the version in MLflow; or {other_champion(entry.pipeline or name)}",
            )
        if CHAMPION not in found.aliases:
            dg.get_dagster_logger().warning(
                "%s: the alias %s is set again on version %s, the champion by the journal",
                name,
                CHAMPION,
                entry.version,
            )
            self._set_aliases(entry)
        return CurrentChampion(self._loaded(found, entry), entry)

    def apply(self, comparison: Comparison, spec: PipelineSpec) -> ChampionRecord:
        """Carry out a decision: register and promote the challenger, or keep the champion.

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

    def roll_back(self, name: str, version: str | None = None, *, run_id: str, reason: str = "") -> ChampionEntry:
        """Make an earlier version, or else the champion before, champion again, after its files were verified.

        Returns:
            The journal's new entry; the version that it replaced can be brought back in the same way.

        Raises:
            TrackingError: there never was a champion, no such version, or it is the champion already.
            ChampionChangedError: the champion changed meanwhile.
            DigestMismatchError: the version's files are not those that were registered.
        """
        journal = self.journal(name)
        former = journal.newest() or self._adopted(name)
        wanted = version or (former.replaced if former else None)
        found = self._version(name, wanted) if wanted else None
        champion = former.version if former and former.names_champion else None
        if former is None or found is None or str(found.version) == champion:
            raise TrackingError(
                "there is nothing to roll back to",
                where=f"registered model {name}",
                found=f"champion: version {champion}" if champion else "no champion",
                expected=f"version {wanted}" if wanted else "an earlier champion in the journal",
                remedy="name a version of the registry that is not the champion, or set withdraw: true to go on "
                "without a champion",
            )
        earlier = next((each for each in reversed(journal.history()) if each.version == str(found.version)), None)
        entry = _entry_of(found, "rolled_back").model_copy(
            update={"replaced": former.version, "reason": reason, "run_id": run_id, "pipeline": former.pipeline}
            | (_facts_of(earlier) if earlier else self._recorded(found))
        )
        self._loaded(found, entry)
        entry = journal.append(entry, expected=former)
        self._set_aliases(entry)
        return entry

    def withdraw(self, name: str, *, run_id: str, reason: str = "", pipeline: str = "") -> ChampionEntry:
        """Go on without a champion: the next model is promoted without a comparison.

        Neither the version nor its files are read, so that this works where they are gone or are not Assay's.

        Raises:
            TrackingError: there is no champion, or MLflow failed.
            ChampionChangedError: the champion changed meanwhile.
        """
        journal = self.journal(name)
        former = journal.newest()
        alias = None if former else self._version_by_alias(name, CHAMPION)
        version = former.version if former else str(alias.version) if alias else None
        if version is None or (former and not former.names_champion):
            raise TrackingError(
                "there is no champion to withdraw",
                where=f"registered model {name}",
                remedy="materialise champion_model, which promotes the next model",
            )
        entry = ChampionEntry(
            number=1,
            event="withdrawn",
            registered_name=name,
            version=version,
            digest=former.digest if former else "",
            files_digest=former.files_digest if former else "",
            replaced=version,
            reason=reason,
            pipeline=pipeline,
            run_id=run_id,
            created_at=dt.datetime.now(dt.UTC),
        )
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
        published = comparison.published or PublishedModel.of(comparison.challenger)
        version = self.register(name, published, comparison.card)
        entry = ChampionEntry(
            number=1,
            event="promoted",
            registered_name=name,
            version=version.version,
            digest=version.digest,
            files_digest=version.files_digest,
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
        """Append the registry's champion to an empty journal; None if there is none.

        Raises:
            TrackingError: somebody else's version has the alias.
        """
        found = self._version_by_alias(name, CHAMPION)
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
        previous = self._version_by_alias(name, PREVIOUS)
        changes = {"replaced": str(previous.version) if previous else None, **self._recorded(found)}
        entry = _entry_of(found, "adopted").model_copy(update=changes)
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
                if entry.names_champion:
                    _repeat(client.set_registered_model_alias, name, CHAMPION, entry.version)
                elif self._version_by_alias(name, CHAMPION) is not None:
                    client.delete_registered_model_alias(name, CHAMPION)
                if entry.replaced is not None and self._version(name, entry.replaced) is not None:
                    _repeat(client.set_registered_model_alias, name, PREVIOUS, entry.replaced)
            newest = journal.newest() or entry
            if newest.number == entry.number:
                return
            entry = newest

    def _record_value(self, version: RegisteredVersion, decision: PromotionDecision) -> None:
        """Show MLflow's users the metric with which a version was promoted."""
        client, name = connect(self.tracking_uri), version.name
        with as_tracking_error(self.tracking_uri, f"version {version.version} of {name} cannot be described"):
            _repeat(client.set_model_version_tag, name, version.version, VALUE_TAG, repr(decision.challenger_value))

    def _loaded(self, version: "ModelVersion", entry: ChampionEntry) -> TrainedModel:
        from assay.learning.persistence import load_model

        expected = LoggedFiles(bundle=entry.digest, files=entry.files_digest)
        otherwise = other_champion(entry.pipeline or version.name)
        with verified_bundle(self.tracking_uri, version, expected, otherwise) as bundle:
            return load_model(bundle)

    def _recorded(self, version: "ModelVersion") -> dict[str, str]:
        """Return what the artifact store recorded of a version that was never champion."""
        record = self._records().read(version.tags.get(MODEL_TAG))
        return {"digest": record.bundle, "files_digest": record.files} if record else {}

    def _records(self) -> LoggedModelRecords:
        return LoggedModelRecords(self.object_store.open())

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


def _facts_of(earlier: ChampionEntry) -> dict[str, Any]:
    """Return what an earlier entry of the journal knows of a version."""
    return earlier.model_dump(include={"digest", "files_digest", "value_at_promotion"})


def other_champion(pipeline: str) -> str:
    """Return how to go on with another champion, or with none."""
    return (
        "make an earlier version champion: start champion_rollback_job with "
        f"{_rollback_config(pipeline, 'version: <number>')}; or {without_champion(pipeline)}"
    )


def without_champion(pipeline: str) -> str:
    """Return how to go on without a champion."""
    config = _rollback_config(pipeline, "withdraw: true")
    return f"go on without a champion: start champion_rollback_job with {config}, then materialise champion_model"


def _rollback_config(pipeline: str, choice: str) -> str:
    return f"ops: {{roll_back_champion: {{config: {{pipeline: {pipeline}, {choice}}}}}}}"
