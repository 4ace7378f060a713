"""Bundles: files below a prefix of an object store that count as one, by the file that is written last."""

from pathlib import Path

from assay.errors import ArtifactNotFoundError, TargetExistsError
from resources.store.interface import ObjectStore


def put_bundle(store: ObjectStore, prefix: str, folder: Path, *, last: str, overwrite: bool) -> None:
    """Store the files of a folder; with the last one there, all are there, and of one kind.

    Of an earlier bundle the last file is removed first, so that no two are mixed. A bundle with the same last file,
    which holds the digests of the others, is left as it is.

    Args:
        store: where.
        prefix: of the keys, without a slash at its end.
        folder: its files.
        last: name of the file that is written last.
        overwrite: whether an earlier bundle may be replaced.

    Raises:
        TargetExistsError: there is an earlier bundle that may not be replaced.
        StorageError: the store failed.
    """
    key, data = f"{prefix}/{last}", (folder / last).read_bytes()
    earlier = _bytes(store, key)
    if earlier == data:
        return
    if earlier is not None:
        if not overwrite:
            raise TargetExistsError.at(store.uri(prefix))
        store.delete(key)
    for path in sorted(path for path in folder.iterdir() if path.name != last):
        store.put_file(f"{prefix}/{path.name}", path)
    if not store.put_if_absent(key, data) and store.get_bytes(key) != data:
        raise TargetExistsError.at(store.uri(prefix))


def _bytes(store: ObjectStore, key: str) -> bytes | None:
    try:
        return store.get_bytes(key)
    except ArtifactNotFoundError:
        return None
