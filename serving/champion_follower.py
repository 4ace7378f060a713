"""Which version answers a request, through promotions, roll-backs and failures.

A version is served after its files were verified and it repeated its golden predictions through the way that requests
take, which also warms it. Until then the version before it answers, and so it does where the new one fails. Requests
keep the versions that they began with. A challenger is found beside each champion (`serving.challenger_follower`).
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from assay.errors import AssayError, SerialisedError
from assay.prediction.golden import has_golden, require_golden, require_repeated
from assay.prediction.predictor import Predictor
from assay.promotion.champion import ChampionEntry
from assay.results.trained_model import TrainedModel
from assay.specs.serving import ServingSpec
from serving.arms import Arms, alone
from serving.batching import Job, responses_to
from serving.challenger_follower import ChallengerFollower, Challengers
from serving.refusals import overloaded
from serving.request_bodies import ROWS, Body
from serving.versions import Champions, ServedVersion

_LOG = logging.getLogger("assay.serving")
RETRY_SECONDS = 60.0
"""After which a version that could not be served is tried again."""
_NO_BOUND = 2**62


class ChampionFollower:
    """Knows the version that answers requests.

    Args:
        champions: where versions come from.
        poll_seconds: how often it asks for the current champion.
        without_golden: whether a version without golden predictions is served, with a warning.
        seen: called after each evaluation with its outcome (`current`, `changed`, `none` or `failed`), the version
            that answers, and its challenger.
        challengers: where a challenger comes from; None for none.
        serving: as the pipeline says; no challenger unless given.
        pipeline: name.
    """

    def __init__(
        self,
        champions: Champions,
        *,
        poll_seconds: float = 5.0,
        without_golden: bool = False,
        seen: Callable[[str, str | None, str | None], None] = lambda *_: None,
        challengers: Challengers | None = None,
        serving: ServingSpec | None = None,
        pipeline: str = "",
    ) -> None:
        self._champions = champions
        self._poll_seconds = poll_seconds
        self._without_golden = without_golden
        self._seen = seen
        self._serving, self._pipeline = serving or ServingSpec(log=None), pipeline
        self._arms: Arms | None = None
        self._refused: tuple[int, float] = (0, 0.0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="champion", daemon=True)
        self.problem: SerialisedError | None = None
        """Why the current champion is not served, or could not be asked for; None where all is well."""
        self.challenger: ChallengerFollower | None = None
        """Knows the challenger; None where none is wanted."""
        if challengers is not None and self._serving.challenger is not None:
            self.challenger = ChallengerFollower(challengers, self._serving, self._verified)

    @property
    def current(self) -> ServedVersion | None:
        """The version that is served, or None."""
        return self._arms.champion if self._arms is not None else None

    @property
    def challenging(self) -> ServedVersion | None:
        """The version that challenges it, or None."""
        return self._arms.challenger if self._arms is not None else None

    @property
    def has_shadow(self) -> bool:
        """Whether a challenger predicts in the shadow."""
        return self.challenger is not None and self._serving.shadow

    def serving_version(self) -> ServedVersion:
        """Return the champion as it is served now.

        Raises:
            RequestError: no version is served yet.
        """
        return self.arms().champion

    def arms(self) -> Arms:
        """Return the versions that answer a request which begins now.

        Raises:
            RequestError: no version is served yet.
        """
        arms = self._arms
        if arms is None:
            raise overloaded("no model is served yet, or the champion was withdrawn", max(1, round(self._poll_seconds)))
        return arms

    def start(self) -> None:
        """Follow in a thread from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following; the version stays."""
        self._stop.set()

    def evaluate(self) -> None:
        """Ask for the current champion once, and serve it if it can be; failures are kept as the problem."""
        try:
            outcome = self._follow()
        except Exception as error:  # noqa: BLE001 - whatever fails, the version that is served stays
            self._note(error)
            outcome = "failed"
        self._follow_challenger()
        versions = (self._arms.champion, self._arms.challenger) if self._arms is not None else (None, None)
        self._seen(outcome, *(each.entry.version if each else None for each in versions))

    def _run(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            self.evaluate()

    def _follow(self) -> str:
        entry = self._champions.entry()
        if entry is None:
            if self._arms is not None:
                _LOG.warning("the champion was withdrawn: requests are refused until there is another one")
            self._arms = self.problem = None
            return "none"
        if self.current is not None and _same_model(self.current.entry, entry):
            self.problem = None
            return "current"
        number, tried_at = self._refused
        if entry.number == number and time.monotonic() - tried_at < RETRY_SECONDS:
            return "failed"
        self._refused = (entry.number, time.monotonic())
        challenger = self._arms.challenger if self._arms is not None else None
        if challenger is not None and _same_model(challenger.entry, entry):
            self._serve(replace(challenger, entry=entry))
        else:
            self._serve(self._verified(entry), challenger)
        self._refused, self.problem = (0, 0.0), None
        _LOG.info("version %s of %s answers requests", entry.version, entry.registered_name)
        return "changed"

    def _serve(self, champion: ServedVersion, challenger: ServedVersion | None = None) -> None:
        """Let versions answer from now on, by one reference."""
        self._arms = Arms(champion, challenger, self._pipeline, self._serving)

    def _follow_challenger(self) -> None:
        arms = self._arms
        if self.challenger is None or arms is None:
            return
        found = self.challenger.beside(arms.champion)
        if found is not arms.challenger:
            self._serve(arms.champion, found)

    def _verified(self, entry: ChampionEntry) -> ServedVersion:
        model, card = self._champions.load(entry)
        where = f"{entry.registered_name} version {entry.version}"
        version = ServedVersion(entry, Predictor(model), card, is_fixed=self._champions.is_fixed)
        if self._without_golden and not has_golden(model):
            return replace(version, warning="served without golden replay: it records none")
        require_golden(model, where)
        require_repeated(model, replayed(version, [_example(model)]), where)
        return replace(version, takes_rows_together=_is_the_same_together(version, where))

    def _note(self, error: Exception) -> None:
        if isinstance(error, AssayError):
            problem = SerialisedError.of(error)
            if error.transient:
                self._refused = (0, 0.0)
        else:
            problem = SerialisedError(type(error).__name__)
            _LOG.error("a defect while the champion was followed", exc_info=error)
        if problem != self.problem:
            kept = f"version {self.current.entry.version} stays" if self.current else "no version is served"
            _LOG.warning("the current champion cannot be served, %s: %s", kept, problem)
        self.problem = problem


def replayed(version: ServedVersion, requests: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Return what a version answers for the rows of some requests that come together, as JSON.

    Raises:
        AssayError: a request is refused.
    """
    jobs = [
        Job(alone(version), Body(json.dumps({ROWS: list(rows)}).encode()), "replay", _NO_BOUND, _NO_BOUND)
        for rows in requests
    ]
    predictions: list[dict[str, Any]] = []
    for _, outcome in sorted(responses_to(jobs), key=lambda each: each[0]):
        if isinstance(outcome, Exception):
            raise outcome
        predictions += json.loads(outcome.data)["predictions"]
    return predictions


def _is_the_same_together(version: ServedVersion, where: str) -> bool:
    """Return whether rows may be predicted with those of other requests: no step sees other rows, and it was tried."""
    model = version.predictor.model
    steps = version.predictor.intake.features
    if steps is not None and not steps.is_of_rows_alone:
        return False
    alone = [[row] for row in _example(model)]
    try:
        require_repeated(model, replayed(replace(version, takes_rows_together=True), alone), where)
        require_repeated(model, replayed(version, alone), where)
    except AssayError as error:
        _LOG.warning("requests are predicted one by one, as rows of %s depend on others: %s", where, error.what)
        return False
    return True


def _example(model: TrainedModel) -> Sequence[Any]:
    intake = model.manifest.intake
    return intake.example if intake is not None else ()


def _same_model(served: ChampionEntry, entry: ChampionEntry) -> bool:
    return served.version == entry.version and served.digest == entry.digest
