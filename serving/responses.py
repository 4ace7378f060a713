"""Answers of predicted requests: the parts of champion and challenger in the order of the rows, as JSON or Arrow."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.learning.evaluation.predictions import Predictions
from serving.arms import Division, arm_name
from serving.refusals import RequestError
from serving.request_bodies import ARROW, JSON, PredictionRequest, arrow_bytes
from serving.versions import ServedVersion


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


@dataclass(frozen=True, slots=True)
class Answered:
    """A request whose rows are predicted.

    Attributes:
        request: its rows and form.
        request_id: of the request.
        version: that answers a request without rows, and whose model is named.
        challenged: whether it is the challenger.
        division: of the rows.
        fell_back: rows of the challenger that the champion answered.
    """

    request: PredictionRequest
    request_id: str
    version: ServedVersion
    challenged: bool
    division: Division
    fell_back: int


def response_to(each: Answered, parts: tuple[AnsweredRows, ...]) -> PredictionResponse:
    """Write an answer: the predictions of all parts in the order of the request's rows.

    Raises:
        RequestError: a model predicts what is no finite number.
        DataContractError: a model gives no such interval.
    """
    request = each.request
    asked: dict[str, Any] = {"probabilities": request.probabilities, "interval": request.interval}
    tables = [part.version.predictor.shown(part.found, **asked) for part in parts]
    tables = tables or [each.version.predictor.table(request.rows, **asked)]
    for table in tables:
        _require_finite(table)
    versions = tuple(part.version.entry.version for part in parts) or (each.version.entry.version,)
    arms = tuple(arm_name(challenged=part.challenged) for part in parts) or (arm_name(challenged=each.challenged),)
    facts: dict[str, Any] = {"model": each.version.entry.registered_name, "version": ",".join(versions),
                             "arm": ",".join(arms), "request_id": each.request_id}  # fmt: skip
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
