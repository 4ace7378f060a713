"""Backup and restore of a deployment on one machine: `backup.py save FOLDER`, `backup.py restore FOLDER`.

What refers to others is copied before what it refers to: Dagster's records name commits and runs of MLflow, a commit
names objects, the journal of champions names versions of MLflow, and MLflow's database names files. Nothing of these
changes once it is written, so that a copy of the referring part finds all that it names in a later copy of the other.
Restoring goes the other way.

PostgreSQL, S3 and an MLflow server have tools of their own: `docs/operations.md`.
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

_OBJECT = re.compile(r"/@(whole|partition/[^/]+)/data/")
_MANIFEST = "backup.json"
_DATABASES = (".db", ".sqlite")
_NEVER = re.compile(r"\.db-(wal|shm|journal)$|\.partial$|\.lock$")
_MLFLOW_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Where MLflow's database says the folder of its files."""


class Part(NamedTuple):
    """Some files of one folder of a deployment, in the order in which they are saved."""

    folder: str
    includes: Callable[[str], bool]


ORDER = (
    Part("dagster", lambda _: True),
    Part("serving", lambda _: True),
    Part("store", lambda key: not _OBJECT.search(f"/{key}")),
    Part("store", lambda key: bool(_OBJECT.search(f"/{key}"))),
    Part("mlflow", lambda name: name.endswith(_DATABASES)),
    Part("mlflow", lambda name: not name.endswith(_DATABASES)),
)


class BackupError(Exception):
    """A backup cannot be made, or is not whole."""


def save(places: dict[str, Path], target: Path) -> None:
    """Copy a deployment's folders to a new folder, which appears when all is copied.

    Raises:
        BackupError: the folder exists, or there is no store.
    """
    if target.exists():
        raise BackupError(f"{target} exists: name a new folder")
    if not places["store"].is_dir():
        raise BackupError(f"there is no store in {places['store']}")
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    digests: dict[str, str] = {}
    for part in ORDER:
        for name in _names(places[part.folder], part):
            copy = partial / part.folder / name
            with contextlib.suppress(FileNotFoundError):  # the janitor removed it meanwhile
                _copy(places[part.folder] / name, copy)
                digests[f"{part.folder}/{name}"] = _digest(copy)
    manifest = {"mlflow": str(places["mlflow"]), "files": digests}
    (partial / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    partial.rename(target)


def restore(source: Path, places: dict[str, Path]) -> None:
    """Copy a backup to folders that do not exist; paths in MLflow's database become those of its new folder.

    Raises:
        BackupError: a file of the backup is missing or was changed, or a folder exists.
    """
    manifest = json.loads((source / _MANIFEST).read_text(encoding="utf-8"))
    damaged = [name for name, digest in manifest["files"].items() if _digest(source / name) != digest]
    if damaged:
        raise BackupError(f"the backup is damaged: {damaged[0]} and {len(damaged) - 1} more")
    there = [str(place) for place in places.values() if place.exists()]
    if there:
        raise BackupError(f"{', '.join(there)}: a restore overwrites nothing, move what is there away")
    for part in reversed(ORDER):
        for name in _names(source / part.folder, part):
            _copy(source / part.folder / name, places[part.folder] / name)
    for database in places["mlflow"].glob("*.db"):
        _relocate(database, manifest["mlflow"], str(places["mlflow"]))


def _names(folder: Path, part: Part) -> Iterator[str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    names = (path.relative_to(folder).as_posix() for path in files)
    return (name for name in names if part.includes(name) and not _NEVER.search(name))


def _copy(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix not in _DATABASES:
        shutil.copy2(file, target)
        return
    opened = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    with contextlib.closing(opened) as database, contextlib.closing(sqlite3.connect(target)) as copy:
        database.backup(copy)  # consistent while others write


def _relocate(database: Path, old: str, new: str) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        for table, column in _MLFLOW_PLACES:
            connection.execute(
                f"update {table} set {column} = ? || substr({column}, ?) where instr({column}, ?) = 1",  # noqa: S608 - our own names
                (new, len(old) + 1, old),
            )


def _digest(path: Path) -> str:
    if not path.is_file():
        return "missing"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Backup and restore of a deployment on one machine.")
    parser.add_argument("action", choices=["save", "restore"])
    parser.add_argument("folder", type=Path, help="of the backup")
    home = Path(os.environ.get("ASSAY_HOME", ".assay"))
    parser.add_argument("--home", type=Path, default=home, help="ASSAY_HOME, or .assay, unless given")
    parser.add_argument("--dagster", type=Path, help="folder of Dagster's databases; HOME/dagster unless given")
    return parser.parse_args()


def places_of(home: Path, dagster: Path | None = None) -> dict[str, Path]:
    """Return the folders of a deployment by the names of the parts, absolute."""
    home = home.absolute()
    named = {name: home / name for name in ("serving", "store", "mlflow")}
    return {"dagster": (dagster or home / "dagster").absolute(), **named}


def main() -> int:
    """Run one action; return the exit code."""
    given = _arguments()
    places = places_of(given.home, given.dagster)
    try:
        save(places, given.folder) if given.action == "save" else restore(given.folder, places)
    except (BackupError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{given.folder if given.action == 'save' else given.home}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
