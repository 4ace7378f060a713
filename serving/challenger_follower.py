"""Which version challenges the champion: found, verified and warmed like a champion, and given up where it cannot be.

Whatever is wrong with a challenger, the champion answers everything, and the state says why.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from assay.errors import AssayError, SerialisedError, TrackingError
from assay.promotion.champion import ChampionEntry
from assay.specs.serving import ChallengerSpec, ServingSpec
from resources.mlflow.registry import MlflowModelRegistry
from serving.versions import ServedVersion

_LOG = logging.getLogger("assay.serving")
RETRY_SECONDS = 60.0
"""After which a challenger that could not be served is tried again, and one that is served is asked for once more
whether people took it back."""


class ChallengerRefusedError(AssayError, code="challenger_refused"):
    """A version that cannot challenge the champion."""


class Challengers(Protocol):
    """The versions of one registered model."""

    def version(self, wanted: ChallengerSpec) -> str | None:
        """Return the number of the wanted version; None where no version has the alias.

        Raises:
            AssayError: the registry does not answer.
        """

    def entry_of(self, version: str) -> ChampionEntry:
        """Return an entry of a version.

        Raises:
            ChallengerRefusedError: people took it back or rejected it.
            AssayError: there is no such version, or the registry does not answer.
        """


@dataclass(frozen=True, slots=True)
class RegisteredChallengers:
    """The versions of a registered model in MLflow.

    Attributes:
        registry: of models.
        name: of the registered model.
    """

    registry: MlflowModelRegistry
    name: str

    def version(self, wanted: ChallengerSpec) -> str | None:
        """Return the number of the wanted version; MLflow is asked for an alias alone."""
        if wanted.alias_followed is None:
            return str(wanted.version)
        found = self.registry.versions(self.name).by_alias(wanted.alias_followed)
        return str(found.version) if found is not None else None

    def entry_of(self, version: str) -> ChampionEntry:
        """Return what the journal, or else MLflow, knows of a version."""
        history = self.registry.history(self.name)
        entry = history.entry_of(version)
        if entry is None:
            found = self.registry.versions(self.name).version(version)
            if found is None:
                raise TrackingError(
                    "the challenger is not in the registry",
                    where=f"registered model {self.name}",
                    found=f"no version {version}",
                    remedy="correct serving.challenger, or restore the version in MLflow",
                )
            entry = self.registry.entry_of(found, "adopted")
        taken_back = history.took_back(entry.digest)
        if taken_back is not None:
            raise ChallengerRefusedError(
                "the challenger was taken back",
                where=f"{self.name} version {version}",
                found=f"{taken_back.event.replace('_', ' ')}: {taken_back.reason}",
                remedy="name another version in serving.challenger, or remove it",
            )
        return entry


class ChallengerFollower:
    """Knows the version that challenges the champion; used by the thread that follows the champion.

    Args:
        challengers: where versions come from.
        serving: as the pipeline says.
        verify: makes a version of an entry, after its golden replay.
    """

    def __init__(
        self, challengers: Challengers, serving: ServingSpec, verify: Callable[[ChampionEntry], ServedVersion]
    ) -> None:
        self._challengers, self.serving, self._verify = challengers, serving, verify
        self._current: ServedVersion | None = None
        self._asked_at = float("-inf")
        self.problem: SerialisedError | None = None
        """Why there is no challenger although one is wanted; None where all is well."""
        self.state = "not asked for yet"
        """For people."""

    def beside(self, champion: ServedVersion) -> ServedVersion | None:
        """Return the challenger of a champion; None without one, and the champion answers everything."""
        try:
            return self._followed(champion)
        except Exception as error:  # noqa: BLE001 - whatever fails, the champion answers
            self._note(error)
            return self._current

    def _followed(self, champion: ServedVersion) -> ServedVersion | None:
        wanted = self.serving.challenger
        version = self._challengers.version(wanted) if wanted is not None else None
        if version is None or version == champion.entry.version:
            self._end("no version has the alias" if version is None else "ended: the challenger is the champion")
            return None
        due = time.monotonic() - self._asked_at >= RETRY_SECONDS
        is_current = self._current is not None and self._current.entry.version == version
        if not is_current and self._current is not None:
            self._current, due = None, True  # another version is wanted: the former one answers nothing any more
        if due:
            self._asked_at = time.monotonic()
            self._current = self._loaded(version)
        if self._current is not None:
            require_comparable(champion, self._current)
            self.problem = None
            part = "predicts in the shadow" if self.serving.shadow else f"answers {self.serving.share:g} of the keys"
            self._say(f"version {version} {part}")
        return self._current

    def _loaded(self, version: str) -> ServedVersion:
        entry, found = self._challengers.entry_of(version), self._current
        if found is not None and (found.entry.version, found.entry.digest) == (entry.version, entry.digest):
            return found
        return self._verify(entry)

    def _end(self, state: str) -> None:
        self._current, self.problem, self._asked_at = None, None, float("-inf")
        self._say(state)

    def _say(self, state: str) -> None:
        if state != self.state:
            _LOG.info("challenger: %s", state)
        self.state = state

    def _note(self, error: Exception) -> None:
        if isinstance(error, AssayError):
            problem = SerialisedError.of(error)
            if error.transient:
                self._asked_at = float("-inf")
            else:
                self._current = None
        else:
            problem, self._current = SerialisedError(type(error).__name__), None
            _LOG.error("a defect while the challenger was followed", exc_info=error)
        if problem != self.problem:
            _LOG.warning("the challenger cannot be served, the champion answers everything: %s", problem)
        self.problem = problem
        if self._current is None:
            self.state = "not served"  # why is the problem's to say


def require_comparable(champion: ServedVersion, challenger: ServedVersion) -> None:
    """Refuse a challenger whose answers mean something else than the champion's.

    Raises:
        ChallengerRefusedError: it has another task or target, or labels of another type.
    """
    first, second = champion.predictor.model.manifest, challenger.predictor.model.manifest
    for what, found, expected in (
        ("task", str(second.task), str(first.task)),
        ("target", second.target, first.target),
        ("type of labels", _types(second.classes), _types(first.classes)),
    ):
        if found != expected:
            raise ChallengerRefusedError(
                f"the challenger has another {what} than the champion",
                where=f"{challenger.entry.registered_name} version {challenger.entry.version}",
                found=found,
                expected=expected,
                remedy="name another version in serving.challenger",
            )


def _types(classes: tuple[object, ...]) -> str:
    return ", ".join(sorted({type(label).__name__ for label in classes}))
