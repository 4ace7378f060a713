"""Rows of the prediction log, made of what requests were answered, off their path."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from assay.data.row_identity import row_hashes
from assay.prediction.predictor import columns_of, probability_of
from assay.serving import prediction_log as log
from serving.arms import Division, arm_name
from serving.responses import AnsweredRows
from serving.versions import ServedVersion


@dataclass(frozen=True, slots=True)
class LoggedRows:
    """Rows of one request that one version predicted, until they are rows of the log.

    Attributes:
        request_id: of the request.
        time: when they were predicted, in UTC.
        part: the rows and their predictions.
        division: of the request's rows.
        latency: of the answer, in milliseconds; None in the shadow.
        shadow: whether they were predicted beside the answer.
    """

    request_id: str
    time: dt.datetime
    part: AnsweredRows
    division: Division
    latency: float | None = None
    shadow: bool = False

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.part.numbers)

    @property
    def nbytes(self) -> int:
        """Bytes of memory, roughly."""
        return int(self.part.source.nbytes) + 200 * self.count


def maker(pipeline: str, *, values: bool) -> "Callable[[Sequence[LoggedRows]], pa.Table]":
    """Return what makes rows of the log.

    Args:
        pipeline: name.
        values: whether the values of the model's columns are logged.
    """

    def rows(answers: Sequence[LoggedRows]) -> pa.Table:
        groups: dict[Any, list[LoggedRows]] = {}
        for each in answers:
            groups.setdefault((id(each.part.version), each.part.source.schema), []).append(each)
        return log.joined([_rows(pipeline, group, values=values) for group in groups.values()])

    return rows


def _rows(pipeline: str, answers: Sequence[LoggedRows], *, values: bool) -> pa.Table:
    """Return the rows of answers of one version whose rows have the same columns."""
    version = answers[0].part.version
    source = pa.concat_tables(each.part.source for each in answers)
    rows = [(each, number) for each in answers for number in each.part.numbers.tolist()]
    inside = [
        each.division if each.division.is_inside(number, challenged=each.part.challenged) else None
        for each, number in rows
    ]
    columns: dict[str, Any] = {
        log.REQUEST_ID: [each.request_id for each, _ in rows],
        log.ROW: [number + 1 for _, number in rows],
        log.TIME: [each.time for each, _ in rows],
        log.PIPELINE: [pipeline] * len(rows),
        log.VERSION: [version.entry.version] * len(rows),
        log.ARM: [arm_name(challenged=each.part.challenged) for each, _ in rows],
        log.SHADOW: [each.shadow for each, _ in rows],
        log.EXPERIMENT: [each.experiment if each is not None else "" for each in inside],
        log.SHARE: [each.share if each is not None else None for each in inside],
        log.KEY: [each.division.keys[number] for each, number in rows],
        log.FEATURES: [f"{number:016x}" for number in row_hashes(source, source.column_names, pipeline).tolist()],
        log.LATENCY: [each.latency for each, _ in rows],
        **_predictions(answers),
    }
    table = pa.table([pa.array(columns[field.name], field.type) for field in log.LOG_SCHEMA], schema=log.LOG_SCHEMA)
    for name, column in {**_probabilities(answers), **_sent(version, rows, source, values=values)}.items():
        table = table.append_column(name, column)
    return table


def _predictions(answers: Sequence[LoggedRows]) -> dict[str, list[Any]]:
    labels = [label for each in answers for label in each.part.found.labels.tolist()]
    none = [None] * len(labels)
    if answers[0].part.version.predictor.model.manifest.task.is_classification:
        return {log.LABEL: [str(label) for label in labels], log.VALUE: none}
    return {log.LABEL: none, log.VALUE: labels}


def _probabilities(answers: Sequence[LoggedRows]) -> Mapping[str, pa.ChunkedArray]:
    facts = answers[0].part.version.predictor.model.manifest
    names = [probability_of(label) for label in facts.classes]
    parts = [columns_of(each.part.found, facts) for each in answers]
    return {
        f"log_{name}": pa.chunked_array([part[name] for part in parts])
        for name in names
        if all(name in part for part in parts)
    }


def _sent(
    version: ServedVersion, rows: Sequence[tuple[LoggedRows, int]], source: pa.Table, *, values: bool
) -> Mapping[str, pa.Array | pa.ChunkedArray]:
    """Return the columns that were sent: those logged by their values, and by setting the model's but personal ones."""
    personal = {column.name for column in version.predictor.intake.columns if column.pii}
    kept = [name for name in source.column_names if values and name not in personal and not log.is_own(name)]
    names = [name for name in rows[0][0].division.sent if name not in kept]
    texts = {name: pa.array([each.division.sent[name][number] for each, number in rows], pa.string()) for name in names}
    return texts | {name: source.column(name) for name in kept}
