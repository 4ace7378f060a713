"""Records of what Assay logged to MLflow, in the artifact store, and the verification of a version's files by them.

One record for each logged model holds digests of its files.

MLflow's files and tags can be changed by everybody who may write to MLflow. A record is in the artifact store and is
never changed: what a version holds is verified against it, not against a tag beside the files.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from assay.errors import (
    ArtifactNotFoundError,
    DigestMismatchError,
    StorageError,
    TrackerUnavailableError,
    TrackingError,
)
from assay.results.bundle import bundle_digest, files_digest
from assay.scratch import scratch_folder
from assay.specs.base import Spec
from resources.mlflow.connection import as_tracking_error
from resources.store.interface import ObjectStore, encoded
from resources.store.numbered_records import intact_record

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

_ROOT = "@logged_models"
BUNDLE = "bundle"
_NOTE_OF_LOADING = "registered_model_meta"
"""Name and version of a registered model: MLflow writes them beside the files, in place, whenever it loads them."""
_GONE = "the files of a registered version are gone"


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
        return cls(bundle=bundle_digest(folder / BUNDLE), files=files_digest(folder, _NOTE_OF_LOADING))


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
        """Return the record of a logged model, or None.

        Raises:
            StorageError: the store failed, or the record is damaged.
        """
        if not model_id:
            return None
        try:
            return intact_record(
                self._store,
                _key(model_id),
                LoggedFiles,
                what="the record of a logged model",
                remedy="restore the object from a backup, or train the model again",
            )
        except ArtifactNotFoundError:
            return None


def _key(model_id: str) -> str:
    return f"{_ROOT}/{encoded(model_id)}.json"


@contextmanager
def verified_bundle(
    tracking_uri: str, version: "ModelVersion", expected: LoggedFiles, otherwise: str
) -> Iterator[Path]:
    """Give the folder of a registered version's bundle, after all its files were verified.

    Args:
        tracking_uri: MLflow's.
        version: of the registry.
        expected: its digests; without one of all files, the bundle alone is fetched and verified.
        otherwise: what else to do than to restore the files, where they are gone or changed.

    Raises:
        DigestMismatchError: the files are not those that were registered.
        TrackingError: they are gone.
    """
    where, remedy = (
        f"{version.name} version {version.version}",
        f"restore the files of {version.source}; or {otherwise}",
    )
    with scratch_folder("champion") as folder:
        try:
            with as_tracking_error(tracking_uri, f"the files of {where} cannot be fetched"):
                files = _downloaded(tracking_uri, str(version.source), folder, whole=bool(expected.files))
        except TrackerUnavailableError:
            raise
        except TrackingError as error:
            raise TrackingError(_GONE, where=where, found=error.found, remedy=remedy) from error
        if not (files / BUNDLE).is_dir():
            raise TrackingError(_GONE, where=where, found=f"no {BUNDLE} at {version.source}", remedy=remedy)
        found = LoggedFiles.of(files)
        for part in ("bundle", "files"):
            digest, wanted = getattr(found, part), getattr(expected, part)
            if digest != wanted and (wanted or part == "bundle"):
                raise DigestMismatchError(
                    "the registered model's files are not those that were registered",
                    where=where,
                    found=f"{part} with digest {digest[:16]}",
                    expected=f"digest {wanted[:16] or 'none'}, by the artifact store",
                    remedy=remedy,
                )
        yield files / BUNDLE


def _downloaded(tracking_uri: str, source: str, folder: str, *, whole: bool) -> Path:
    """Fetch all files, or the bundle alone, from the source; a `models:/` address would use MLflow's globals."""
    from mlflow.artifacts import download_artifacts

    address = source.rstrip("/") if whole else f"{source.rstrip('/')}/{BUNDLE}"
    fetched: str = download_artifacts(artifact_uri=address, dst_path=folder, tracking_uri=tracking_uri)
    return Path(fetched if whole else folder)
