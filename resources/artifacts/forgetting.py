"""Removal of rows from everything that is stored, for a person who asks to be forgotten.

Each version of a table that holds such rows is replaced by its remainder: the rows that stay, with their own digests
and a receipt that counts the forgotten ones. The newest version also gets a successor, so that whatever reads the
newest rows sees that they changed. Then the files with the rows go. Commit records stay; they hold counts and digests.
What cannot be searched and may quote the rows goes as a whole, and goes first: as long as a table still holds a row,
the next call finds everything again, so that a killed one is finished by repeating it.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa

from assay.errors import (
    ArtifactExpiredError,
    CommitConflictError,
    SpecError,
    did_you_mean,
)
from resources.artifacts.feature_file import facts_of, file_key, former_keys
from resources.artifacts.forget_journal import ForgetEntry, ForgetJournal, LearnedModel, unfinished
from resources.artifacts.learned_models import learned_models
from resources.artifacts.logged_predictions import HeldInLog, LogSearch
from resources.artifacts.row_search import HeldRows, RowSearch
from resources.artifacts.store import ArtifactStore, Attempt
from resources.quarantine import copies_of, remove_copies
from resources.store.commit_record import Commit, described
from resources.store.expiry import (
    Identity,
    expire,
    expired_numbers,
    forgotten_facts,
    histories,
    identity,
    inputs_of,
    is_successor_of,
    leftovers,
    remainder_of,
    sweep,
    version_of,
)

REASON = "it held rows that were forgotten"
_TABLE, _REPORT = "table", "spec"
# tables of other assets can be computed again
_SOURCES = {"raw_dataset", "feature_set", "validated_dataset", "prediction_log", "served_labels"}
_ROUNDS = 5
_RUN = "forget-"


@dataclass(frozen=True, slots=True)
class Found:
    """What holds rows to be forgotten, or may quote them.

    Attributes:
        held: versions of tables that hold such rows.
        whole: versions that go as a whole: reports with values on the same partitions, and tables that can be computed
            again and lack the columns.
        copies: folders of refused files, which cannot be searched.
        unsearched: versions of tables that stay although they lack the columns.
        files: keys of files of feature sets that do not hold the newest rows.
        left: objects that a killed call has left.
        models: that have learned from the rows.
        logged: objects of prediction logs that hold such rows.
    """

    held: tuple[HeldRows, ...] = ()
    whole: tuple[Commit, ...] = ()
    copies: tuple[str, ...] = ()
    unsearched: tuple[Commit, ...] = ()
    files: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    models: tuple[LearnedModel, ...] = ()
    logged: tuple[HeldInLog, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.held or self.whole or self.copies or self.files or self.left or self.logged)


@dataclass(frozen=True)
class Forgetting:
    """Finds and removes the rows for which an expression is true.

    Attributes:
        artifacts: the store.
        where: a SQL expression over columns.
        pipeline: whose data; those of all unless given.
        by: who asks, for the journal.
    """

    artifacts: ArtifactStore
    where: str
    pipeline: str | None = None
    by: str = ""

    @cached_property
    def _search(self) -> RowSearch:
        return RowSearch(self.artifacts, self.where)

    @property
    def _log_search(self) -> LogSearch:
        return LogSearch(self.artifacts.store, self._search, self.pipeline)

    def find(self) -> Found:
        """Return what holds such rows; nothing is changed.

        Raises:
            DataContractError: the expression cannot be used.
            MissingColumnError: no stored table has its columns.
            SpecError: nothing of the pipeline is stored.
            StorageError: the store failed.
        """
        series = self._series()
        standing = list(self._standing_tables(series))
        searched = [each for each in standing if self._search.has_columns(each[1])]
        logged, in_log = self._log_search.held()
        if not searched and not in_log:
            raise self._search.without_columns([table for _, table in standing], self.pipeline or "all pipelines")
        held = tuple(self._search.held(searched))
        pipelines = {each.commit.asset[0] for each in held}
        lacking = [commit for commit, table in standing if not self._search.has_columns(table)]
        versions = [history for history in series if version_of(history[0]) is None]
        return Found(
            held=held,
            whole=(
                *self._quoting(series, held),
                *(each for each in lacking if each.asset[0] in pipelines and each.asset[-1] not in _SOURCES),
            ),
            copies=tuple(
                folder
                for name in sorted({commit.asset[0] for commit, _ in searched})
                for folder in copies_of(self.artifacts.store, name)
            ),
            unsearched=tuple(each for each in lacking if each.asset[-1] in _SOURCES),
            files=tuple(key for history in series for key in self._files_of_other_rows(history)),
            left=tuple(key for history in series for key in leftovers(self.artifacts.store, history[0])),
            models=tuple(learned_models(self.artifacts, versions, rows_by_version(held))),
            logged=tuple(logged),
        )

    def remove(self) -> ForgetEntry | None:
        """Remove everything that `find` finds; killed in between, it is called again.

        Returns:
            The journal's entry; None where nothing was left to do.

        Raises:
            CommitConflictError: runs publish such rows again and again.
            AssayError: as of `find`.
        """
        journal = ForgetJournal(self.artifacts.store)
        request = journal.digest(self.where, self.pipeline)
        for _ in range(_ROUNDS):
            found = self.find()
            begun = unfinished(journal.entries(), request)
            if found.is_clean:
                # not only of this call: a killed one has removed what is not found any more
                return journal.append(self._finished(begun)) if begun else None
            journal.append(self._entry(found, request))
            try:
                self._remove(found, request)
            except CommitConflictError:
                continue  # a run published the next version meanwhile: it is searched, too
        raise CommitConflictError(
            "runs publish such rows as fast as they are removed",
            where=self.pipeline or "all pipelines",
            found=f"rows after {_ROUNDS} removals",
            remedy="remove the rows from the source, wait until no run is in progress, and forget again",
        )

    def _series(self) -> list[list[Commit]]:
        series = list(histories(self.artifacts.store))
        known = {history[0].asset[0] for history in series}
        if self.pipeline is not None and self.pipeline not in known:
            raise SpecError(
                "nothing is stored of that pipeline",
                where=self.artifacts.store.uri(""),
                found=f"{self.pipeline}{did_you_mean(self.pipeline, known)}",
                expected=f"one of {', '.join(sorted(known))}" if known else "",
            )
        return [history for history in series if self.pipeline in {None, history[0].asset[0]}]

    def _standing_tables(self, series: Iterable[Sequence[Commit]]) -> Iterator[tuple[Commit, Commit]]:
        """Yield every version of a table that has rows, and the commit whose files hold them."""
        for history in series:
            if version_of(history[0]) is not None:
                continue
            for commit in history:
                if commit.codec == _TABLE and commit.fingerprint is not None:
                    try:
                        yield commit, self.artifacts.standing(commit)
                    except ArtifactExpiredError:
                        continue

    def _quoting(self, series: Iterable[Sequence[Commit]], held: Iterable[HeldRows]) -> Iterator[Commit]:
        """Yield the gate's reports with values on the pipelines and partitions of the rows."""
        partitions = {(each.commit.asset[0], each.commit.partition) for each in held}
        for history in series:
            if (history[0].asset[0], history[0].partition) in partitions and history[0].codec in {_REPORT, _TABLE}:
                gone = expired_numbers(self.artifacts.store, history[0])
                for commit in history:
                    has_page = commit.codec == _REPORT and len(commit.objects) > 1
                    if has_page and commit.number not in gone:
                        yield commit

    def _files_of_other_rows(self, history: Sequence[Commit]) -> Iterator[str]:
        """Yield the files of a feature set that are not the newest version's, or differ from it."""
        yield from (key for key in sorted(former_keys(history)) if self.artifacts.store.stat(key) is not None)
        key = file_key(history[-1])
        if key is not None and not self.artifacts.feature_file().is_current(history[-1]):
            yield key

    def _remove(self, found: Found, request: str) -> None:
        store = self.artifacts.store
        for logged in found.logged:  # first, so that no run puts them together again
            self._log_search.remove(logged)
        for folder in found.copies:
            remove_copies(store, [folder])
        for commit in found.whole:
            expire(store, [self.artifacts.standing(commit)], REASON)
        series = sorted(self._series(), key=lambda history: history[0].created_at)  # a table after what it is made of
        for history in series:
            versions = set(map(identity, history))
            held = [each for each in found.held if identity(each.commit) in versions]
            for each in held:
                self._replace(each, request, is_newest=each.commit.number == history[-1].number)
            for each in held:
                expire(store, [each.standing], REASON)
            sweep(store, history[0])
            for key in former_keys(history) & {*found.files}:
                store.delete(key)
            if file_key(history[-1]) in found.files:
                self.artifacts.write_feature_file(history[-1])

    def _replace(self, held: HeldRows, request: str, *, is_newest: bool) -> None:
        """Publish the rows that stay: what stands for the version, and its successor if it is the newest."""
        commit, kept, attempt = held.commit, self._search.kept(held), self._attempt(held, request)
        self.artifacts.publish(remainder_of(commit), commit.partition, kept, attempt)
        if is_newest:
            facts = {**attempt.properties, **facts_of(commit)}
            inputs = dict(self._newest_inputs(commit))
            following = replace(attempt, inputs=inputs, follows=commit.number, properties=facts)
            self.artifacts.publish(commit.asset, commit.partition, kept, following)

    def _attempt(self, held: HeldRows, request: str) -> Attempt:
        # by request and version: a call that goes on publishes nothing twice
        name = f"forget-{request[:16]}-{held.commit.number}-{held.standing.number}"
        commit, facts = held.commit, forgotten_facts(held.commit, held.rows.num_rows, request)
        return Attempt(f"{_RUN}{request[:16]}", name, commit.code_version, commit.inputs, facts)

    def _newest_inputs(self, commit: Commit) -> Iterator[tuple[str, str]]:
        """Yield what a version was made of, with the successors of what rows were forgotten of."""
        for (name, version), (asset, partition, number) in zip(commit.inputs.items(), inputs_of(commit), strict=True):
            newest = self.artifacts.log.newest(asset, partition)
            followed = newest is not None and is_successor_of(newest, number)
            yield name, f"{newest.number}:{newest.data_version}" if newest and followed else version

    def _entry(self, found: Found, request: str) -> ForgetEntry:
        return ForgetEntry(
            event="started",
            request=request,
            pipeline=self.pipeline,
            columns=self._search.columns,
            rows=rows_found(found),
            removed=(*map(described, found.whole), *found.copies, *found.files),
            models=found.models,
            runs=tuple(dict.fromkeys(each.commit.run_id for each in found.held if not _is_of_request(each.commit))),
            by=self.by,
            created_at=dt.datetime.now(dt.UTC),
        )

    def _finished(self, begun: Sequence[ForgetEntry]) -> ForgetEntry:
        """Return the entry that ends what some entries began, with all that these found."""
        models = {model.model: model for entry in begun for model in entry.models}
        return begun[-1].model_copy(
            update={
                "event": "finished",
                "rows": {name: rows for entry in begun for name, rows in entry.rows.items()},
                "removed": tuple(dict.fromkeys(name for entry in begun for name in entry.removed)),
                "models": tuple(models.values()),
                "runs": tuple(dict.fromkeys(run for entry in begun for run in entry.runs)),
                "by": self.by,
                "created_at": dt.datetime.now(dt.UTC),
            }
        )


def rows_found(found: Found) -> dict[str, int]:
    """Return the number of rows to be forgotten by the version or the object that holds them."""
    versions = {described(each.commit): each.rows.num_rows for each in found.held}
    return versions | {each.key: each.rows for each in found.logged}


def _is_of_request(commit: Commit) -> bool:
    return commit.run_id.startswith(_RUN)


def rows_by_version(held: Iterable[HeldRows]) -> dict[Identity, pa.Table]:
    """Return the rows to be forgotten by the version that holds them."""
    return {identity(each.commit): each.rows for each in held}
