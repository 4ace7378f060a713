"""Days of a prediction log: the objects that the endpoint wrote, and the partition that has taken their rows.

Once a day's partition is made of its objects, each row is there twice. The retention policy lets the rows of old
objects go; the objects stay under their names, empty. So a process that stores one once more stores nothing, the
partition is still that of the same objects, and a reader of an empty object takes the partition's rows.
"""

import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from assay.data.dataset import Dataset
from assay.serving.prediction_log import joined
from resources.artifacts.store import ArtifactStore
from resources.prediction_log import keys_by_day, log_prefix, logged_pipelines, rows_in
from resources.store.commit_record import Commit
from resources.store.expiry import RetentionPolicy, expiry_of
from resources.store.interface import ObjectStore

PREDICTION_LOG = "prediction_log"
OBJECTS = "log_objects"
"""Property of a commit: the digest of the objects' keys that it was made of."""
_DAY = dt.timedelta(days=1)


def digest_of_objects(keys: Sequence[str]) -> str:
    """Return the digest of some objects' keys."""
    return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()


def commit_of_day(artifacts: ArtifactStore, pipeline: str, day: dt.date) -> Commit | None:
    """Return the newest version of a day's partition, or None."""
    return artifacts.log.newest((pipeline, PREDICTION_LOG), day.isoformat())


def has_taken(commit: Commit | None, keys: Sequence[str]) -> bool:
    """Whether a version of a day's partition was made of exactly these objects."""
    if commit is None or commit.status != "published":
        return False
    return commit.properties.get(OBJECTS) == digest_of_objects(keys)


def rows_of_day(artifacts: ArtifactStore, pipeline: str, day: dt.date, keys: Sequence[str]) -> pa.Table:
    """Return the rows of a day's objects, and those of its partition where objects are empty.

    Rows that were repeated are there more than once.

    Raises:
        StorageError: the store did not answer, or an object or the partition is damaged.
    """
    store = artifacts.store
    contents = [(key, store.get_bytes(key)) for key in keys]
    tables = [rows_in(data, store.uri(key)) for key, data in contents if data]
    if len(tables) < len(contents):  # the partition is read after the objects: it has what they have lost
        taken = artifacts.newest_value((pipeline, PREDICTION_LOG), day.isoformat(), Dataset)
        tables += [taken.table] if taken is not None else []
    return joined(tables)


@dataclass(frozen=True, slots=True)
class LoggedDay:
    """The objects of a day whose rows its partition has, too.

    Attributes:
        pipeline: whose log.
        day: in UTC.
        keys: of the objects that are not empty.
    """

    pipeline: str
    day: dt.date
    keys: tuple[str, ...]

    def __str__(self) -> str:
        """Name it for people."""
        return f"prediction log of {self.pipeline}, {self.day.isoformat()}: {len(self.keys)} objects"


@dataclass(frozen=True, slots=True)
class LogRetention:
    """Empties old objects of prediction logs whose rows are in their day's partition.

    The number of versions that the policy keeps says nothing of objects.

    Attributes:
        store: the artifact store.
        policy: what stays.
    """

    store: ObjectStore
    policy: RetentionPolicy

    def beyond(self) -> list[LoggedDay]:
        """Return the days whose objects lose their rows.

        Raises:
            StorageError: the store failed, or a commit record is damaged.
        """
        if self.policy.days is None:
            return []
        now = dt.datetime.fromtimestamp(self.store.clock(), dt.UTC)
        return [each for pipeline in logged_pipelines(self.store) for each in self._of(pipeline, now)]

    def remove(self, days: Sequence[LoggedDay]) -> None:
        """Empty the objects of some days.

        Raises:
            StorageError: the store failed, or a partition's rows are damaged; called again, it goes on.
        """
        artifacts = ArtifactStore(self.store)
        for each in days:
            commit = commit_of_day(artifacts, each.pipeline, each.day)
            if commit is None:
                continue
            artifacts.read(commit, Dataset)  # verified, before the other copy of its rows goes
            for key in each.keys:
                # another one where rows are forgotten meanwhile; the next call takes it
                self.store.replace(key, b"", self.store.get_bytes(key))

    def _of(self, pipeline: str, now: dt.datetime) -> Iterator[LoggedDay]:
        artifacts, full = ArtifactStore(self.store), _full_objects(self.store, pipeline)
        for day, keys in sorted(keys_by_day(self.store, pipeline).items()):
            ended = dt.datetime.combine(day + _DAY, dt.time(), dt.UTC)
            mine = tuple(key for key in keys if key in full)
            if not mine or now - ended < dt.timedelta(days=self.policy.days or 0):
                continue
            commit = commit_of_day(artifacts, pipeline, day)
            if commit is not None and has_taken(commit, keys) and expiry_of(self.store, commit) is None:
                yield LoggedDay(pipeline, day, mine)


def _full_objects(store: ObjectStore, pipeline: str) -> set[str]:
    return {each.key for each in store.list_objects(log_prefix(pipeline)) if each.size}
