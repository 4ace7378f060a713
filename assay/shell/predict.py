"""`assay predict`: a file of any size through a stored model, as Parquet or CSV."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from assay.credentials import redacted
from assay.data.written_values import with_values_read
from assay.prediction.checks import check_rows
from assay.prediction.predictor import Predictor, batch_columns
from assay.prediction.scoring import require_good
from assay.reading.batches import ReadOptions
from assay.reading.sandbox import transcribe_in_child
from assay.reading.source_files import LocalFile, options_for, read_options_of, unchanged
from assay.scratch import scratch_folder
from assay.shell.file_summaries import predicted
from assay.shell.flags import Flags
from assay.shell.models import model_at
from assay.shell.pipeline_flags import reading_of
from assay.shell.storage import Storage
from assay.shell.terminal import show
from assay.specs.dataset import ColumnRole
from assay.specs.operations import PredictionChecks

_BATCH_ROWS = 1 << 16


def run(flags: Flags, storage: Storage) -> tuple[bool, str]:
    """Predict every row of the files, and write keys and predictions; nothing is written where a check fails."""
    predictor = Predictor(model_at(flags.model_uri, storage))
    _, reading = reading_of(flags, flags.dataset_path, predictor.intake.dataset.dialect)
    options = replace(read_options_of(reading), texts=_texts(predictor))
    with scratch_folder("predict") as name:
        folder = Path(name)
        target, rows = folder / "predictions", 0
        with _Writer(target, as_csv=flags.output_uri.endswith(".csv")) as out:
            for number, file in enumerate(storage.fetch(flags.dataset_path, folder)):
                for batch in _batches(file, options, folder / f"rows-{number}", predictor):
                    out.write(_predicted(predictor, batch, rows, file.uri))
                    rows += batch.num_rows
        storage.put(target, flags.output_uri)
    manifest, written = predictor.model.manifest, redacted(flags.output_uri)
    show([predicted(redacted(flags.model_uri), manifest, rows, out.columns, written)])
    return True, flags.output_uri


def _texts(predictor: Predictor) -> frozenset[str]:
    """Return the columns that are texts to the model, as `00123` is."""
    return frozenset(column.name for column in predictor.intake.columns if column.dtype == "string")


def _batches(file: LocalFile, options: ReadOptions, target: Path, predictor: Predictor) -> Iterator[pa.Table]:
    """Yield the rows of a file, read strictly by a confined process; all at once where steps see other rows."""
    read, limits = options_for(file, options), predictor.limits
    with unchanged(file.path, name=file.uri):
        transcribe_in_child(file.path, read, target, name=file.uri, layout="parquet", limits=limits)
    features = predictor.intake.features
    if features is not None and not features.is_of_rows_alone:
        yield pq.read_table(target)
        return
    with pq.ParquetFile(target) as found:
        for batch in found.iter_batches(_BATCH_ROWS):
            yield pa.Table.from_batches([batch])


def _predicted(predictor: Predictor, rows: pa.Table, before: int, name: str) -> pa.Table:
    """Return keys and predictions of some rows.

    Raises:
        PredictionsRefusedError: a prediction is not finite, or beyond the range of the training targets.
    """
    dataset, facts = predictor.intake.dataset, predictor.model.manifest
    frozen = {column.name: column.dtype for column in predictor.intake.columns}
    known = rows.select([each for each in rows.column_names if each in frozen])
    known = with_values_read(known, dataset, {each: frozen[each] for each in known.column_names})
    source = predictor.source_rows(known, where=name, before=before)
    where = f"{name}, rows counted from {before + 1:,}"
    found = predictor.of_source(source, where=where)
    require_good(check_rows(found, facts, PredictionChecks()), where=where)
    keys = [
        column.name
        for column in predictor.intake.columns
        if column.role is ColumnRole.IDENTIFIER and column.name in source.column_names
    ]
    return pa.table({**{key: source.column(key) for key in keys}, **batch_columns(found, predictor.model)})


class _Writer:
    """Writes tables of one schema, one after the other, as Parquet or CSV."""

    def __init__(self, path: Path, *, as_csv: bool) -> None:
        self._path, self._as_csv = path, as_csv
        self._open: Any = None
        self.columns: list[str] = []

    def __enter__(self) -> Self:
        return self

    def write(self, table: pa.Table) -> None:
        """Write a table; the first one opens the file."""
        if self._open is None:
            make = pa_csv.CSVWriter if self._as_csv else pq.ParquetWriter
            self._open = make(self._path, table.schema)
            self.columns = table.column_names
        self._open.write_table(table)

    def __exit__(self, *_: object) -> None:
        if self._open is not None:
            self._open.close()
