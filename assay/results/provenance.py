"""How, when and from what a model was made: evidence beside the model, no part of its identity.

Two trainings of the same content differ in their provenance alone, so that the digest of a bundle leaves it out.
"""

import datetime as dt

from pydantic import JsonValue

from assay.specs.base import Spec

UNKNOWN = "unknown"


class CodeState(Spec):
    """The code and the libraries of a training, as far as they are known."""

    git_sha: str = UNKNOWN
    """Commit of the checkout, or what the deployment's setting says; `unknown` without either."""
    git_dirty: bool | None = None
    """Whether files differed from that commit; None where that is not known."""
    lock_digest: str = ""
    """SHA-256 of `uv.lock`; empty without one."""
    installed_digest: str = ""
    """Digest of names and versions of all installed distributions; empty where that is not known."""

    @property
    def shown(self) -> str:
        """The commit for people."""
        return f"{self.git_sha}, with changes that are not committed" if self.git_dirty else self.git_sha


class ParentModel(Spec):
    """The model that an incremental training continued."""

    version: str
    """In the registry; empty for a bundle outside of it."""
    registered_name: str = ""
    """Of the registered model; empty likewise."""
    digest: str
    """Of its bundle."""


class Provenance(Spec):
    """How a model was made."""

    trained_at: dt.datetime
    """When the fit ended, in UTC."""
    fit_seconds: float
    code: CodeState = CodeState()
    parent: ParentModel | None = None
    """Missing for a full fit."""
    spec: dict[str, JsonValue] = {}
    """The pipeline file with the run's parameters; credentials are masked."""
