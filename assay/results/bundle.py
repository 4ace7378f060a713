"""The manifest of a model's bundle: the one file that is replaced, and that says where the others are.

The files are beside the manifest or, where a store cannot replace a folder in one step, in a folder of one attempt that
the manifest names. A reader that follows the manifest reads files of one bundle.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

MANIFEST_FILE = "manifest.json"
FOLDER = "folder"
"""Key of the manifest: the folder of the other files; absent where they are beside it."""
FILES = "files"
"""Key of the manifest: the digests of the other files."""
PROVENANCE = "provenance"
_EVIDENCE = (PROVENANCE, "annotations", FOLDER)
_ATTEMPT = re.compile(r"[0-9a-f]{32}")


def new_folder() -> str:
    """Return the name of a folder that no other attempt uses."""
    return uuid.uuid4().hex


def is_attempt(folder: str) -> bool:
    """Whether a folder's name is one that `new_folder` gives."""
    return _ATTEMPT.fullmatch(folder) is not None


def placed(manifest: bytes, folder: str) -> bytes:
    """Return a manifest that names the folder of the other files."""
    return json.dumps(_facts(manifest) | {FOLDER: folder}, indent=2, ensure_ascii=False).encode() + b"\n"


def folder_of(manifest: bytes) -> str:
    """Return the folder of the other files, relative to the manifest; empty where they are beside it."""
    folder = str(_facts(manifest).get(FOLDER, ""))
    return folder if is_attempt(folder) else ""


def content_of(manifest: bytes, *also_without: str) -> bytes:
    """Return a manifest without its evidence, such as the MLflow run and times, and without some further keys.

    Manifests of earlier versions have no provenance and stay as they are, and so do the digests of their bundles.
    """
    facts = _facts(manifest)
    if not facts.get(PROVENANCE):
        return manifest
    content = {name: value for name, value in facts.items() if name not in {*_EVIDENCE, *also_without}}
    return json.dumps(content, sort_keys=True, ensure_ascii=False).encode()


def bundle_digest(folder: Path) -> str:
    """Return the identity of a model's bundle: one SHA-256 over its files, without the manifest's evidence."""
    return _digest_of(folder, lambda manifest: content_of(manifest, FILES))


def files_digest(folder: Path, besides: str = "") -> str:
    """Return one SHA-256 over the names and bytes of all files of a folder, those in folders below it included.

    `besides` is a file of the folder itself that does not count.
    """
    return _digest_of(folder, lambda manifest: manifest, besides)


def _digest_of(folder: Path, of_manifest: Callable[[bytes], bytes], besides: str = "") -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if besides and path == folder / besides:
            continue
        data = path.read_bytes()
        covered = of_manifest(data) if path == folder / MANIFEST_FILE else data
        digest.update(f"{path.relative_to(folder).as_posix()}\0{hashlib.sha256(covered).hexdigest()}\n".encode())
    return digest.hexdigest()


def same_bundle(one: bytes, other: bytes) -> bool:
    """Whether two manifests are of the same model, files and MLflow run, whatever folder they are in.

    The fit of a step that is run again has another provenance, and is the same.
    """
    facts = [{**_facts(each), FOLDER: "", PROVENANCE: None} for each in (one, other)]
    return facts[0] == facts[1] and len(facts[0]) > len((FOLDER, PROVENANCE))


def _facts(manifest: bytes) -> dict[str, Any]:
    """Return the content of a manifest; nothing of a damaged one, which can be replaced all the same."""
    try:
        facts = json.loads(manifest)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
