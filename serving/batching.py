"""Answers to requests: predictions of a version in the form in which the rows came.

Requests that wait together are predicted together, since one row takes a model nearly as long as a hundred. Each is
read by itself before, so that an error is of one request alone, and each gets its own rows back. Versions whose steps
can see other rows answer each request by itself, and so does one that predicted otherwise when it was tried.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import AssayError
from assay.learning.evaluation.predictions import Predictions
from serving.arms import Arms, Division, Mask, arm_name
from serving.refusals import RequestError
from serving.request_bodies import ARROW, JSON, Body, PredictionRequest, arrow_bytes, parsed_request
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


@dataclass(frozen=True, slots=True)
class AnsweredRows:
    """The rows of a request that one version predicted.

    Attributes:
        version: that predicted.
        challenged: whether it did so as the challenger.
        numbers: shape (rows,): positions in the request, from 0.
        source: the rows in the types of the model's source.
        found: their predictions.
    """

    version: ServedVersion
    challenged: bool
    numbers: "np.ndarray[Any, np.dtype[np.int64]]"
    source: pa.Table
    found: Predictions


@dataclass(frozen=True, slots=True)
class PredictionResponse:
    """A body, and what its headers say.

    Attributes:
        data: bytes.
        content_type: JSON, or an Arrow stream.
        versions: that answered, the champion's first.
        arms: their arms.
        parts: the rows that each predicted; none for a request without rows.
        division: of the rows between the arms.
        fell_back: rows of the challenger that the champion answered, as the challenger failed.
    """

    data: bytes
    content_type: str
    versions: tuple[str, ...]
    arms: tuple[str, ...]
    parts: tuple[AnsweredRows, ...]
    division: Division
    fell_back: int = 0

    @property
    def version(self) -> str:
        """The version that answered; several with commas between."""
        return ",".join(self.versions)

    @property
    def arm(self) -> str:
        """Its arm; several with commas between."""
        return ",".join(self.arms)

    @property
    def rows(self) -> int:
        """How many rows were predicted."""
        return sum(len(part.numbers) for part in self.parts)


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
    """Answer jobs; yields the index of each and its answer, or why there is none, as soon as it is known."""
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
                return _answer(each, _parts(each, found))
            except Exception as error:  # noqa: BLE001 - whatever fails, the champion answers
                _note_failure(rival, error)
                each, found = each.by_champion(), None
        return _answer(each, _parts(each, found))
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


def _answer(each: _Read, parts: tuple[AnsweredRows, ...]) -> PredictionResponse:
    """Write the answer of a job."""
    request = each.request
    asked: dict[str, Any] = {"probabilities": request.probabilities, "interval": request.interval}
    tables = [part.version.predictor.shown(part.found, **asked) for part in parts]
    tables = tables or [each.version.predictor.table(request.rows, **asked)]
    for table in tables:
        _require_finite(table)
    versions = tuple(part.version.entry.version for part in parts) or (each.version.entry.version,)
    arms = tuple(arm_name(challenged=part.challenged) for part in parts) or (arm_name(challenged=each.challenged),)
    facts: dict[str, Any] = {"model": each.version.entry.registered_name, "version": ",".join(versions),
                             "arm": ",".join(arms), "request_id": each.job.request_id}  # fmt: skip
    if len(parts) > 1:
        facts |= {name: _by_row(parts, values) for name, values in (("versions", versions), ("arms", arms))}
    if request.form == "arrow":
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items()}
        data, kind = arrow_bytes(_in_order(tables, parts).replace_schema_metadata(texts)), ARROW
    else:
        predictions = _records(tables, parts) if request.form == "rows" else _in_order(tables, parts).to_pydict()
        document = facts | {"predictions": predictions}
        data, kind = json.dumps(document, separators=(",", ":"), allow_nan=False).encode(), JSON
    return PredictionResponse(data, kind, versions, arms, parts, each.division, each.fell_back)


def _by_row(parts: Sequence[AnsweredRows], values: Sequence[str]) -> list[str]:
    """Return for each row of the request the value of the part that predicted it."""
    found = [""] * sum(len(part.numbers) for part in parts)
    for part, value in zip(parts, values, strict=True):
        for number in part.numbers.tolist():
            found[number] = value
    return found


def _records(tables: Sequence[pa.Table], parts: Sequence[AnsweredRows]) -> list[dict[str, Any]]:
    """Return a record for each row of the request, with the columns of the version that predicted it."""
    if len(parts) < 2:  # noqa: PLR2004 - one table
        return tables[0].to_pylist()  # type: ignore[no-any-return]
    found: list[dict[str, Any]] = [{}] * sum(table.num_rows for table in tables)
    for table, part in zip(tables, parts, strict=True):
        for number, record in zip(part.numbers.tolist(), table.to_pylist(), strict=True):
            found[number] = record
    return found


def _in_order(tables: Sequence[pa.Table], parts: Sequence[AnsweredRows]) -> pa.Table:
    """Return the predictions in the order of the request's rows; a class that a version does not know is null."""
    if len(parts) < 2:  # noqa: PLR2004 - one table
        return tables[0]
    together = pa.concat_tables(tables, promote_options="default")
    return together.take(np.argsort(np.concatenate([part.numbers for part in parts])))


def _require_finite(table: pa.Table) -> None:
    for name in table.column_names:
        values = table.column(name)
        if pa.types.is_floating(values.type) and not pc.all(pc.is_finite(values), min_count=0).as_py():
            raise RequestError(
                "the model predicts what is no finite number",
                status=HTTPStatus.INTERNAL_SERVER_ERROR,
                where=f"column '{name}' of the predictions",
                remedy="report it to the owners of the model",
            )
