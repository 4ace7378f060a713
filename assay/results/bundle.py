"""The manifest of a model's bundle: the one file that is replaced, and that says where the others are.

The files are beside the manifest or, where a store cannot replace a folder in one step, in a folder of one attempt that
the manifest names. A reader that follows the manifest reads files of one bundle.
"""

import json
import re
import uuid
from typing import Any

MANIFEST_FILE = "manifest.json"
FOLDER = "folder"
"""Key of the manifest: the folder of the other files; absent where they are beside it."""
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


def same_bundle(one: bytes, other: bytes) -> bool:
    """Whether two manifests are of the same model and files, whatever folder they are in."""
    facts = [{**_facts(each), FOLDER: ""} for each in (one, other)]
    return facts[0] == facts[1] and len(facts[0]) > 1


def _facts(manifest: bytes) -> dict[str, Any]:
    """Return the content of a manifest; nothing of a damaged one, which can be replaced all the same."""
    try:
        facts = json.loads(manifest)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
