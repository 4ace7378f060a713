"""Answers to requests: predictions of a version in the form in which the rows came.

Requests that wait together are predicted together, since one row takes a model nearly as long as a hundred. Each is
read by itself before, so that an error is of one request alone, and each gets its own rows back. Versions whose steps
can see other rows answer each request by itself, and so does one that predicted otherwise when it was tried.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from assay.errors import AssayError
from assay.learning.evaluation.predictions import Predictions
from serving.arms import Arms, Division, Mask
from serving.request_bodies import Body, PredictionRequest, parsed_request
from serving.responses import Answered, AnsweredRows, PredictionResponse, response_to
from serving.versions import ServedVersion

_LOG = logging.getLogger("assay.serving")
ROWS_TOGETHER = 1_000
"""Most rows of requests that are predicted together."""


@dataclass(frozen=True, slots=True)
class Job:
    """A request with the versions that answer it.

    Attributes:
        arms: that answer.
        body: of the request.
        request_id: of the request.
        max_rows: most rows of a request.
        max_bytes: largest body, unpacked.
    """

    arms: Arms
    body: Body
    request_id: str
    max_rows: int
    max_bytes: int


Outcome: TypeAlias = "PredictionResponse | Exception"


@dataclass(frozen=True, slots=True)
class _Read:
    """A job whose rows are read.

    Attributes:
        index: among the jobs.
        job: the job.
        request: its rows and form.
        division: of its rows.
        version: that answers all rows; the champion's where both arms answer some.
        source: the rows in the types of its source.
        rival_source: the rows in the types of the challenger's source, where both answer some; None otherwise.
        fell_back: rows of the challenger that the champion answers.
    """

    index: int
    job: Job
    request: PredictionRequest
    division: Division
    version: ServedVersion
    source: pa.Table
    rival_source: pa.Table | None = None
    fell_back: int = 0

    @property
    def challenged(self) -> bool:
        """Whether the challenger answers all rows."""
        return self.version is not self.job.arms.champion

    @property
    def answered(self) -> Answered:
        """What its answer says beside the predictions."""
        return Answered(self.request, self.job.request_id, self.version, self.challenged, self.division, self.fell_back)

    def goes_with(self, other: "_Read") -> bool:
        """Whether two jobs may be predicted together."""
        whole = self.rival_source is None and other.rival_source is None
        alike = whole and self.version is other.version and self.source.schema.equals(other.source.schema)
        return alike and self.version.takes_rows_together and min(self.request.count, other.request.count) > 0

    def by_champion(self) -> "_Read":
        """Return the job with the champion for all rows, as the challenger has failed."""
        champion = self.job.arms.champion
        source = champion.predictor.read(self.request.rows) if self.challenged else self.source
        lost = int(self.division.challenged.sum())
        return replace(self, version=champion, source=source, rival_source=None, fell_back=lost)


def responses_to(jobs: Sequence[Job]) -> Iterator[tuple[int, Outcome]]:
    """Answer jobs; yields the index of each and its answer, or why it has no answer, as soon as it is known."""
    read: list[_Read] = []
    for index, job in enumerate(jobs):
        try:
            read.append(_read(index, job))
        except Exception as error:  # noqa: BLE001 - of one request alone
            yield index, error
    for group in _groups(read):
        yield from _responses_of(group)


def _read(index: int, job: Job) -> _Read:
    """Read a job's rows for the versions that answer them; where the challenger cannot read them, the champion does."""
    arms = job.arms
    request = parsed_request(job.body, arms.columns, job.max_rows, job.max_bytes)
    division = arms.divided(request.rows, request.count, job.request_id)
    rival = arms.rival if request.count and division.challenged.any() else None
    if rival is None:
        source = arms.champion.predictor.read(request.rows)
        return _Read(index, job, request, division, arms.champion, source)
    try:
        source = rival.predictor.read(request.rows)
        if division.challenged.all():
            return _Read(index, job, request, division, rival, source)
    except Exception as error:  # noqa: BLE001 - whatever fails, the champion answers
        _note_failure(rival, error)
        found = _Read(index, job, request, division, arms.champion, arms.champion.predictor.read(request.rows))
        return found.by_champion()
    return _Read(
        index, job, request, division, arms.champion, arms.champion.predictor.read(request.rows), rival_source=source
    )


def _groups(read: Sequence[_Read]) -> list[list[_Read]]:
    groups: list[list[_Read]] = []
    newest: dict[int, list[_Read]] = {}
    for each in read:
        group = newest.get(id(each.version))
        fits = group and each.goes_with(group[0])
        if group and fits and sum(one.source.num_rows for one in group) + each.source.num_rows <= ROWS_TOGETHER:
            group.append(each)
        else:
            newest[id(each.version)] = [each]
            groups.append(newest[id(each.version)])
    return groups


def _responses_of(group: Sequence[_Read]) -> Iterator[tuple[int, Outcome]]:
    if len(group) == 1:
        yield group[0].index, _outcome(group[0], None)
        return
    try:
        found = group[0].version.predictor.of_source(pa.concat_tables(each.source for each in group))
    except Exception as error:  # noqa: BLE001 - of one of them: each by itself names it, with its own row
        if not isinstance(error, AssayError) and not group[0].challenged:
            for each in group:  # a defect
                yield each.index, error
            return
        for each in group:
            yield each.index, _outcome(each, None)
        return
    begin = 0
    for each in group:
        end = begin + each.source.num_rows
        yield each.index, _outcome(each, found.take(slice(begin, end)))
        begin = end


def _outcome(each: _Read, found: Predictions | None) -> Outcome:
    """Return the answer to one job, of predictions that were made with others, or of its own."""
    rival = each.job.arms.rival
    try:
        if rival is not None and (each.challenged or each.rival_source is not None):
            try:
                return response_to(each.answered, _parts(each, found))
            except Exception as error:  # noqa: BLE001 - whatever fails, the champion answers
                _note_failure(rival, error)
                each, found = each.by_champion(), None
        return response_to(each.answered, _parts(each, found))
    except Exception as error:  # noqa: BLE001 - the answer says it
        return error


def _note_failure(rival: ServedVersion, error: Exception) -> None:
    """Log that a challenger failed; values of rows, which an error may quote, are left out."""
    what = error.code if isinstance(error, AssayError) else type(error).__name__
    _LOG.warning("challenger %s failed, the champion answers the request: %s", rival.entry.version, what)


def _parts(each: _Read, found: Predictions | None) -> tuple[AnsweredRows, ...]:
    """Predict the rows of a job, each by the version of its arm."""
    count, rival = each.request.count, each.job.arms.rival
    if not count:
        return ()
    if each.rival_source is None or rival is None:
        found = each.version.predictor.of_source(each.source) if found is None else found
        return (AnsweredRows(each.version, each.challenged, np.arange(count), each.source, found),)
    challenged = each.division.challenged
    return (
        _part(each.version, each.source, ~challenged, challenged=False),
        _part(rival, each.rival_source, challenged, challenged=True),
    )


def _part(version: ServedVersion, source: pa.Table, mask: Mask, *, challenged: bool) -> AnsweredRows:
    """Predict some rows of a request; by all of them where a step sees other rows."""
    chosen = source.filter(pa.array(mask))
    if version.takes_rows_together:
        found = version.predictor.of_source(chosen)
    else:
        found = version.predictor.of_source(source).take(mask)
    return AnsweredRows(version, challenged, np.flatnonzero(mask), chosen, found)
