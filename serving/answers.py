"""Answers to requests: a version's predictions in the form in which the rows came."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from serving.questions import ARROW, JSON, Question, arrow_bytes
from serving.refusals import RequestError
from serving.versions import ServedVersion


@dataclass(frozen=True, slots=True)
class Answer:
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


def answered(version: ServedVersion, question: Question, request_id: str) -> Answer:
    """Predict the rows of a question.

    Raises:
        AssayError: of the rows, with row and column.
        RequestError: the model predicts what is no number.
    """
    table = version.predictor.table(question.rows, probabilities=question.probabilities)
    _require_finite(table)
    entry = version.entry
    facts: dict[str, Any] = {"model": entry.registered_name, "version": entry.version, "request_id": request_id}
    if question.form == "arrow":
        data = arrow_bytes(table.replace_schema_metadata({name: str(fact) for name, fact in facts.items()}))
        return Answer(data, ARROW, entry.version, table.num_rows)
    predictions = table.to_pylist() if question.form == "rows" else table.to_pydict()
    data = json.dumps(facts | {"predictions": predictions}, separators=(",", ":"), allow_nan=False).encode()
    return Answer(data, JSON, entry.version, table.num_rows)


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
