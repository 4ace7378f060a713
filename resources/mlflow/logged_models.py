"""Records of what Assay logged to MLflow, in the artifact store: one for each logged model, with digests of its files.

MLflow's files and tags can be changed by everybody who may write to MLflow. A record is in the artifact store and is
never changed: what a version holds is verified against it, not against a tag beside the files.
"""

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from assay.errors import ArtifactNotFoundError, StorageError
from assay.specs.base import Spec
from resources.store.interface import ObjectStore, encoded
from resources.store.local import bundle_digest

_ROOT = "@logged_models"
BUNDLE = "bundle"


class LoggedFiles(Spec):
    """Digests of a logged model's files."""

    format_version: Literal[1] = 1
    bundle: str
    """Of Assay's bundle: the data version of the commit in the artifact store."""
    files: str
    """Of all files, MLflow's flavour and the bundle."""

    @classmethod
    def of(cls, folder: Path) -> "LoggedFiles":
        """Return the digests of a folder that holds the flavour, and the bundle below it."""
        return cls(bundle=bundle_digest(folder / BUNDLE), files=bundle_digest(folder))


class LoggedModelRecords:
    """Writes and reads the records of logged models."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def write(self, model_id: str, files: LoggedFiles) -> None:
        """Store a record; it must not exist yet.

        Raises:
            StorageError: the store failed, or the model has another record.
        """
        data = files.model_dump_json(indent=1).encode()
        if not self._store.put_if_absent(_key(model_id), data) and self.read(model_id) != files:
            raise StorageError(
                "the logged model has a record with other digests",
                where=self._store.uri(_key(model_id)),
                remedy="delete the logged model in MLflow and run again",
            )

    def read(self, model_id: str | None) -> LoggedFiles | None:
        """Return the record of a logged model; None if there is none.

        Raises:
            StorageError: the store failed, or the record is damaged.
        """
        if not model_id:
            return None
        try:
            return LoggedFiles.model_validate_json(self._store.get_bytes(_key(model_id)))
        except ArtifactNotFoundError:
            return None
        except ValidationError as error:
            raise StorageError(
                "the record of a logged model is damaged",
                where=self._store.uri(_key(model_id)),
                found=str(error.errors(include_url=False, include_input=False)[0]["msg"]),
                remedy="restore the object from a backup, or train the model again",
            ) from error


def _key(model_id: str) -> str:
    return f"{_ROOT}/{encoded(model_id)}.json"
