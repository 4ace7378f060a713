"""Answers to requests: predictions of a version in the form in which the rows came.

Requests that wait together are predicted together, since one row takes a model nearly as long as a hundred. Each is
read by itself before, so that an error is of one request alone, and each gets its own rows back. Versions whose steps
can see other rows answer each request by itself, and so does one that predicted otherwise when it was tried.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import AssayError
from assay.learning.evaluation.predictions import Predictions
from serving.refusals import RequestError
from serving.request_bodies import ARROW, JSON, Body, PredictionRequest, arrow_bytes, parsed_request
from serving.versions import ServedVersion

ROWS_TOGETHER = 1_000
"""Most rows of requests that are predicted together."""


@dataclass(frozen=True, slots=True)
class Job:
    """A request with the version that answers it.

    Attributes:
        version: that answers.
        body: of the request.
        request_id: of the request.
        max_rows: most rows of a request.
        max_bytes: largest body, unpacked.
    """

    version: ServedVersion
    body: Body
    request_id: str
    max_rows: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class PredictionResponse:
    """A body, and what its headers say.

    Attributes:
        data: bytes.
        content_type: JSON, or an Arrow stream.
        version: that answered.
        rows: how many it predicted.
    """

    data: bytes
    content_type: str
    version: str
    rows: int


Outcome: TypeAlias = "PredictionResponse | Exception"


@dataclass(frozen=True, slots=True)
class _Read:
    """A job whose rows are read: its index among the jobs, and the rows in the types of the model's source."""

    index: int
    job: Job
    request: PredictionRequest
    source: pa.Table

    def goes_with(self, other: "_Read") -> bool:
        """Whether two jobs may be predicted together."""
        version = self.job.version
        alike = version is other.job.version and self.source.schema.equals(other.source.schema)
        return alike and version.takes_rows_together and min(self.request.count, other.request.count) > 0


def responses_to(jobs: Sequence[Job]) -> Iterator[tuple[int, Outcome]]:
    """Answer jobs; yields the index of each and its answer, or why there is none, as soon as it is known."""
    read: list[_Read] = []
    for index, job in enumerate(jobs):
        try:
            request = parsed_request(job.body, job.version.columns, job.max_rows, job.max_bytes)
            read.append(_Read(index, job, request, job.version.predictor.read(request.rows)))
        except Exception as error:  # noqa: BLE001 - of one request alone
            yield index, error
    for group in _groups(read):
        yield from _responses_of(group)


def _groups(read: Sequence[_Read]) -> list[list[_Read]]:
    groups: list[list[_Read]] = []
    for each in read:
        fits = groups and each.goes_with(groups[-1][0])
        if fits and sum(one.source.num_rows for one in groups[-1]) + each.source.num_rows <= ROWS_TOGETHER:
            groups[-1].append(each)
        else:
            groups.append([each])
    return groups


def _responses_of(group: Sequence[_Read]) -> Iterator[tuple[int, Outcome]]:
    if len(group) == 1:
        yield group[0].index, _outcome(group[0], None)
        return
    try:
        found = group[0].job.version.predictor.of_source(pa.concat_tables(each.source for each in group))
    except AssayError:  # of one of them: each by itself names it, with its own row
        for each in group:
            yield each.index, _outcome(each, None)
        return
    except Exception as error:  # noqa: BLE001 - a defect
        for each in group:
            yield each.index, error
        return
    begin = 0
    for each in group:
        end = begin + each.source.num_rows
        yield each.index, _outcome(each, found.take(slice(begin, end)))
        begin = end


def _outcome(each: _Read, found: Predictions | None) -> Outcome:
    """Return the answer to one job, of predictions that were made with others, or of its own."""
    request, predictor = each.request, each.job.version.predictor
    asked: dict[str, Any] = {"probabilities": request.probabilities, "interval": request.interval}
    try:
        if found is None and request.count:
            found = predictor.of_source(each.source)
        table = predictor.table(request.rows, **asked) if found is None else predictor.shown(found, **asked)
        return _written(each, table)
    except Exception as error:  # noqa: BLE001 - the answer says it
        return error


def _written(each: _Read, table: pa.Table) -> PredictionResponse:
    _require_finite(table)
    entry = each.job.version.entry
    facts = {"model": entry.registered_name, "version": entry.version, "request_id": each.job.request_id}
    if each.request.form == "arrow":
        return PredictionResponse(
            arrow_bytes(table.replace_schema_metadata(facts)), ARROW, entry.version, table.num_rows
        )
    predictions = table.to_pylist() if each.request.form == "rows" else table.to_pydict()
    data = json.dumps(facts | {"predictions": predictions}, separators=(",", ":"), allow_nan=False).encode()
    return PredictionResponse(data, JSON, entry.version, table.num_rows)


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
