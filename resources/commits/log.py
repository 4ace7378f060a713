"""The numbered commit records of each asset and partition.

Publishing is one conditional put of a small record: before it nothing is visible, after it everything is. Of several
writers racing for a number exactly one wins; the others take the next, or are told.
Does not belong here: the objects that a commit names (`resources.artifact_store`).
"""

from collections.abc import Callable

from pydantic import ValidationError

from assay.errors import ArtifactNotFoundError, CommitConflictError, StorageError
from resources.commits.layout import commit_key, commits_prefix, number_of
from resources.commits.record import Commit
from resources.object_store.interface import ObjectStore

_ATTEMPTS = 50


class CommitLog:
    """Appends and reads commit records in an object store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def append(self, draft: Callable[[int], Commit], asset: tuple[str, ...], partition: str | None) -> Commit:
        """Publish a commit under the next free number.

        Args:
            draft: makes the commit for a number; its `attempt_id` names the writer's attempt.
            asset: asset key's components.
            partition: partition key.

        Returns:
            The published commit; when this attempt had published one already, that one.

        Raises:
            CommitConflictError: others took every number that was tried.
            StorageError: the store failed, and the commit is not there.
        """
        for _ in range(_ATTEMPTS):
            newest = self.newest_number(asset, partition)
            commit = draft(newest + 1)
            mine = self._already_mine(asset, partition, newest, commit.attempt_id)
            if mine is not None:
                return mine
            if self._put(commit):
                return commit
        raise CommitConflictError(
            "other writers published first, again and again",
            where="/".join(asset) + (f", partition {partition}" if partition else ""),
            found=f"{_ATTEMPTS} lost races",
            remedy="run again when fewer runs write the same partition",
        )

    def newest(self, asset: tuple[str, ...], partition: str | None) -> Commit | None:
        """Return the newest commit; None when there is none."""
        number = self.newest_number(asset, partition)
        return self.read(asset, partition, number) if number else None

    def newest_number(self, asset: tuple[str, ...], partition: str | None) -> int:
        """Return the newest commit's number, 0 when there is none; one listing, no reading."""
        listed = self._store.list_objects(commits_prefix(asset, partition))
        return max((number for item in listed if (number := number_of(item.key))), default=0)

    def history(self, asset: tuple[str, ...], partition: str | None) -> list[Commit]:
        """Return all commits, oldest first."""
        newest = self.newest_number(asset, partition)
        return [self.read(asset, partition, number) for number in range(1, newest + 1)]

    def read(self, asset: tuple[str, ...], partition: str | None, number: int) -> Commit:
        """Return one commit.

        Raises:
            ArtifactNotFoundError: there is no such number.
            StorageError: the record is damaged.
        """
        key = commit_key(asset, partition, number)
        try:
            return Commit.model_validate_json(self._store.get_bytes(key))
        except ValidationError as error:
            raise StorageError(
                "a commit record is damaged",
                where=self._store.uri(key),
                found=str(error.errors(include_url=False)[0]["msg"]),
                remedy="restore the object from a backup, or remove the record and those after it",
            ) from error

    def _put(self, commit: Commit) -> bool:
        key = commit_key(commit.asset, commit.partition, commit.number)
        try:
            return self._store.put_if_absent(key, commit.model_dump_json(indent=1).encode())
        except StorageError:
            # the acknowledgement may be what was lost: then the record is there, and it is ours
            if self._is_mine(commit):
                return True
            raise

    def _is_mine(self, commit: Commit) -> bool:
        try:
            found = self.read(commit.asset, commit.partition, commit.number)
        except ArtifactNotFoundError:
            return False
        return found.attempt_id == commit.attempt_id

    def _already_mine(self, asset: tuple[str, ...], partition: str | None, newest: int, attempt: str) -> Commit | None:
        if not newest:
            return None
        last = self.read(asset, partition, newest)
        return last if last.attempt_id == attempt else None
