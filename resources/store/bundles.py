"""Bundles of models in an object store: files under keys of one attempt, published by one put of their manifest."""

import logging
from pathlib import Path

from assay.errors import ArtifactNotFoundError, CommitConflictError, StorageError, TargetExistsError
from assay.results.bundle import MANIFEST_FILE, folder_of, is_attempt, new_folder, placed, same_bundle
from resources.store.interface import ObjectStore
from resources.store.numbered_records import put_record

_LOG = logging.getLogger("assay.bundles")
_ATTEMPTS = 20
_DAY = 86400.0


def put_bundle(store: ObjectStore, prefix: str, folder: Path, *, overwrite: bool) -> None:
    """Store a bundle; at every moment the manifest at the prefix, if there is one, names files of one bundle.

    Of two first writers exactly one succeeds. The former files are removed after the manifest is replaced; a reader of
    the former manifest reads it again. Where nothing may be replaced, the same bundle may be there already.

    Raises:
        TargetExistsError: there is an earlier bundle that may not be replaced.
        CommitConflictError: others replaced the bundle in every attempt.
        StorageError: the store failed.
    """
    key, manifest = f"{prefix}/{MANIFEST_FILE}", (folder / MANIFEST_FILE).read_bytes()
    former = _stored(store, key)
    if former is not None and not overwrite:
        if same_bundle(former, manifest):
            return
        raise TargetExistsError.at(store.uri(prefix))
    names = [path.name for path in sorted(folder.iterdir()) if path.name != MANIFEST_FILE]
    attempt = new_folder()
    for name in names:
        store.put_file(f"{prefix}/{attempt}/{name}", folder / name)
    data = placed(manifest, attempt)
    for _ in range(_ATTEMPTS):
        if _is_published(store, key, data, former):
            _remove_others(store, prefix, attempt, former, names)
            return
        former = _stored(store, key)
        is_there = former is not None and same_bundle(former, manifest)
        if is_there or not overwrite:
            _remove(store, [f"{prefix}/{attempt}/{name}" for name in names])
            if is_there:
                return
            raise TargetExistsError.at(store.uri(prefix))
    raise CommitConflictError(
        "other writers replaced the model in every attempt",
        where=store.uri(prefix),
        found=f"{_ATTEMPTS} lost races",
        remedy="run again when fewer runs write the same model version",
    )


def _is_published(store: ObjectStore, key: str, data: bytes, former: bytes | None) -> bool:
    """Put the manifest, or replace the former one; return whether it is stored."""
    if former is None:
        return put_record(store, key, data)
    return store.replace(key, data, former) or _stored(store, key) == data


def _remove_others(store: ObjectStore, prefix: str, attempt: str, former: bytes | None, names: list[str]) -> None:
    """Remove the files of the former bundle, and what killed writers left a day ago."""
    published = store.stat(f"{prefix}/{MANIFEST_FILE}")
    limit = published.modified - _DAY if published else 0.0
    replaced = folder_of(former) if former else None
    keys = []
    for item in store.list_objects(f"{prefix}/"):
        folder, _, name = item.key.removeprefix(f"{prefix}/").rpartition("/")
        left = is_attempt(folder) and folder != attempt and item.modified < limit
        if left or (folder == replaced and name in names):
            keys.append(item.key)
    _remove(store, keys)


def _remove(store: ObjectStore, keys: list[str]) -> None:
    for key in keys:
        try:
            store.delete(key)
        except StorageError as error:  # no manifest names it: a later export removes it
            _LOG.warning("a file of a replaced model was not removed: %s", error)


def _stored(store: ObjectStore, key: str) -> bytes | None:
    try:
        return store.get_bytes(key)
    except ArtifactNotFoundError:
        return None
