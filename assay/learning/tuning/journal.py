"""The journal of a search: each trial as it ends, so that a search that was killed goes on from there.

A journal is repeated into a new study before further trials start. With one worker the study proposes the same points
again, and ends as if it had not been interrupted.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from assay.learning.tuning.trials import Measurement
from assay.results.search_result import TrialRecord

_KEY = b"assay.trial"


@dataclass(frozen=True, slots=True, eq=False)
class JournalEntry:
    """A trial that ended.

    Attributes:
        record: as it stands in the search's result.
        measured: its outcome, predictions of the validation rows included.
        means: of the metric after each fold, as the pruner saw them.
    """

    record: TrialRecord
    measured: Measurement
    means: tuple[float, ...]


class TrialJournal(Protocol):
    """Keeps the trials of one search."""

    def entries(self) -> Sequence[JournalEntry]:
        """Return the trials that ended, in that order."""

    def append(self, entry: JournalEntry) -> None:
        """Keep a trial."""

    def clear(self) -> None:
        """Forget all trials: the search has a result, or begins anew."""


def encoded(entry: JournalEntry) -> bytes:
    """Return an entry as an Arrow stream: the predictions as columns, the rest in its metadata."""
    measured = entry.measured
    facts = {
        "record": entry.record.model_dump(mode="json"),
        "found": dict(measured.found),
        "refit_seconds": measured.refit_seconds,
        "means": list(entry.means),
        "is_matrix": measured.predicted is not None and measured.predicted.ndim > 1,
    }
    columns: Any = [] if measured.predicted is None else np.atleast_2d(measured.predicted.T)
    table = pa.table({str(number): np.ascontiguousarray(column) for number, column in enumerate(columns)})
    table = table.replace_schema_metadata({_KEY: json.dumps(facts).encode()})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def decoded(data: bytes) -> JournalEntry:
    """Return the entry that `encoded` made."""
    with pa.ipc.open_stream(data) as reader:
        table = reader.read_all()
    facts = json.loads((table.schema.metadata or {})[_KEY])
    record = TrialRecord.model_validate(facts["record"])
    columns = [column.to_numpy() for column in table.columns]
    predicted = None if not columns else np.column_stack(columns) if facts["is_matrix"] else columns[0]
    measured = Measurement(
        record.state, record.value, record.reason, facts["found"], facts["refit_seconds"], predicted, record.latency_ms
    )
    return JournalEntry(record, measured, tuple(facts["means"]))
