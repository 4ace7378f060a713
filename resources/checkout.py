"""The code and the libraries of this process: commit, lock file, what is installed; and files of other commits."""

import hashlib
import io
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from assay.errors import SourceError
from assay.results.provenance import UNKNOWN, CodeState
from assay.specs.base import digest_of
from resources.project_root import project_root

_DIRTY = "-dirty"
_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Checkout:
    """Where the code comes from.

    Attributes:
        git_sha: what the deployment says, such as `1f2e3d` or `1f2e3d-dirty`; git is asked where it says nothing.
        root: folder of the code.
    """

    git_sha: str = ""
    root: Path = field(default_factory=project_root)

    @property
    def git_tag(self) -> str:
        """The commit alone, `unknown` where it is not known."""
        return _commit(self)[0]

    @property
    def tags(self) -> dict[str, str]:
        """The commit as tags of MLflow's runs: under our name, and where known under the one that MLflow shows."""
        shown = {"mlflow.source.git.commit": self.git_tag} if self.git_tag != UNKNOWN else {}
        return {"git_sha": self.git_tag, **shown}

    def state(self) -> CodeState:
        """Return commit, lock and installed libraries, as they were when they were first asked for."""
        return _state(self)


@cache
def _commit(checkout: Checkout) -> tuple[str, bool | None]:
    """Return the commit, and the dirty flag where the deployment says it."""
    if not checkout.git_sha:
        return _git(checkout.root, "rev-parse", "HEAD") or UNKNOWN, None
    sha = checkout.git_sha.removesuffix(_DIRTY)
    return sha, None if sha == UNKNOWN else sha != checkout.git_sha


@cache
def _state(checkout: Checkout) -> CodeState:
    (sha, dirty), lock = _commit(checkout), checkout.root / "uv.lock"
    if not checkout.git_sha and sha != UNKNOWN:
        changes = _git(checkout.root, "status", "--porcelain")
        dirty = None if changes is None else bool(changes)
    return CodeState(
        git_sha=sha,
        git_dirty=dirty,
        lock_digest=hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else "",
        installed_digest=digest_of(_installed()),
    )


def _git(root: Path, *arguments: str) -> str | None:
    """Return what git prints; None without git, or outside of a checkout."""
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _installed() -> list[str]:
    """Return names and versions of the installed distributions, by the names of their folders."""
    folders = {Path(each) for each in sys.path if each}
    return sorted({found.stem for folder in folders for found in folder.glob("*.dist-info")})


_LONGEST_ARCHIVE = 300


def write_files_of(revision: str, folder: Path, root: Path) -> None:
    """Write the files of another commit.

    Args:
        revision: of the repository of `root`, such as `origin/main`.
        folder: that gets them.
        root: the folder whose files they are, as deep in the repository as it is.

    Raises:
        SourceError: there is no such commit, no repository, or no git.
    """
    command = ["git", "archive", "--format=tar", "--end-of-options", revision]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, timeout=_LONGEST_ARCHIVE, check=False)  # noqa: S603
        reason = done.stderr.decode(errors="replace").strip() if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    if reason:
        raise SourceError(
            "the files of this commit cannot be read",
            where=str(root),
            found=f"{revision}: {reason}",
            expected="a commit of the folder's git repository",
            remedy="fetch it (a shallow clone has few commits), or name another one",
        )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
