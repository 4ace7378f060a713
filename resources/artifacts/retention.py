"""The retention policy for stored artifacts: which versions lose their files."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from resources.artifacts.codecs import mlflow_run_of
from resources.champion_journal import journals_in
from resources.store.commit_log import CommitLog, CommitReader
from resources.store.commit_record import Commit
from resources.store.expiry import (
    Identity,
    RetentionPolicy,
    expire,
    expired_numbers,
    expiry_of,
    histories,
    identity,
    sweep,
    version_of,
    with_lineage,
)
from resources.store.interface import ObjectStore

_REASON = "it was beyond the retention policy"
_MODEL, _RECORD = "trained_model", "spec"


@dataclass(frozen=True, slots=True)
class ArtifactRetention:
    """Removes the files of versions beyond a policy; their commit records stay.

    These stay, whatever the policy: the newest version of each asset's partition, and the newest that is no refusal;
    what a newer version followed less than `grace` seconds ago, since a run may still read it; every model that a
    champion journal names, everything that it was made of, and what the same runs published beside it; small records
    that later decisions read (reports without a page, hyperparameters, decisions).

    Attributes:
        store: the artifact store.
        policy: what stays.
        grace: seconds.
    """

    store: ObjectStore
    policy: RetentionPolicy
    grace: float

    def beyond(self) -> list[Commit]:
        """Return the versions that go.

        Raises:
            StorageError: the store failed, or a commit record is damaged.
        """
        if self.policy.keeps_all:
            return []
        found, now = list(histories(self.store)), self.store.clock()
        series = [each for each in found if version_of(each[0]) is None]
        kept = with_lineage(CommitLog(self.store), list(_models_of_journals(self.store, series)))
        # the gate's report on a kept version is no input of anything; the same run published it
        beside = {_step(each) for history in series for each in history if identity(each) in kept}
        remainders = [each for each in found if version_of(each[0]) and expiry_of(self.store, each[-1]) is None]
        held = {version_of(each[0]) for each in remainders}
        return [each for history in series for each in self._of(history, held, now) if _step(each) not in beside]

    def remove(self, commits: Sequence[Commit]) -> None:
        """Remove the files of versions that `beyond` has returned; finish what an earlier call has left.

        Raises:
            StorageError: the store failed; called again, it goes on.
        """
        going = {identity(each) for each in commits}
        for history in histories(self.store):
            mine = [each for each in history if (version_of(each) or identity(each)) in going]
            expire(self.store, mine, _REASON)
            sweep(self.store, history[0])

    def _of(self, history: Sequence[Commit], held: Collection[Identity | None], now: float) -> Iterator[Commit]:
        """Yield the versions of one asset's partition that the policy alone would let go; `held` have remainders."""
        published = [each for each in history if each.status == "published"]
        current = {history[-1].number, *(each.number for each in published[-1:])}
        expired = expired_numbers(self.store, history[0])
        for commit in history:
            is_gone = commit.number in expired and identity(commit) not in held
            if commit.number in current or is_gone or _is_small_record(commit):
                continue
            replaced = _replaced_at(commit, published if commit.status == "published" else history)
            is_read = max(now - replaced, 0.0) < self.grace  # a store's clock may count whole seconds
            position = len(history) - commit.number
            if not is_read and self.policy.lets_go(position, commit.created_at.timestamp(), now):
                yield commit


def _replaced_at(commit: Commit, history: Sequence[Commit]) -> float:
    """Return when a version was followed by another one, in seconds since the epoch."""
    return next(each for each in history if each.number > commit.number).created_at.timestamp()


def runs_of_models(store: ObjectStore, without: Sequence[Commit]) -> set[str]:
    """Return the MLflow runs of all stored models; those of some commits, and of removed ones, are left out.

    Raises:
        StorageError: the store failed, or a manifest is damaged.
    """
    gone, found = {identity(each) for each in without}, set[str]()
    for history in histories(store):
        if history[0].codec == _MODEL:
            removed = expired_numbers(store, history[0])
            for commit in history:
                if commit.number not in removed and identity(commit) not in gone:
                    found.add(mlflow_run_of(CommitReader(store, commit)))
    return found - {""}


def _step(commit: Commit) -> tuple[str, str | None, str]:
    return commit.asset[0], commit.partition, commit.run_id


def _is_small_record(commit: Commit) -> bool:
    return commit.codec == _RECORD and len(commit.objects) == 1


def _models_of_journals(store: ObjectStore, series: Sequence[Sequence[Commit]]) -> Iterator[Commit]:
    digests = {entry.digest for journal in journals_in(store) for entry in journal.history().entries}
    yield from (commit for history in series for commit in history if commit.data_version in digests)
