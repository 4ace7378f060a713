"""Training-serving skew: whether served rows get the same prediction on the batch path."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.row_identity import row_hashes
from assay.errors import AssayError
from assay.prediction.golden import TOLERANCE
from assay.prediction.predictor import PREDICTION, Predictor, probability_of
from assay.serving.prediction_log import FEATURES, LABEL, PIPELINE, PROBABILITY, REQUEST_ID, ROW, TIME, VALUE, VERSION
from assay.specs.base import Spec

_MOST_ROWS = 2_000


class SkewReport(Spec):
    """Served predictions of one version, made again on the batch path from the values that were logged."""

    version: str
    rows: int = 0
    """Predicted again: the newest ones."""
    differing: int = 0
    """Of them, rows of which a number differs by more than 1e-9, or the class, or the features by their digest."""
    first: str = ""
    """The first difference: row and column, what was served and what batch gives."""
    reason: str = ""
    """Why nothing was compared."""

    @property
    def passed(self) -> bool:
        """Whether no row differs."""
        return not self.differing


def check_skew(log: pa.Table, version: str, predictor: Predictor) -> SkewReport:
    """Predict a version's newest rows again as a batch, and compare.

    Args:
        log: of predictions.
        version: whose rows are compared.
        predictor: of that version, as batches use it.
    """
    rows = log.filter(pc.equal(log.column(VERSION), version))
    if why := values_missing(log, predictor):
        return SkewReport(version=version, reason=why)
    newest = rows.take(pc.sort_indices(rows, sort_keys=[(TIME, "descending")])[:_MOST_ROWS])
    if not newest.num_rows:
        return SkewReport(version=version, reason="no rows")
    try:
        read = logged_source(newest, predictor)
        again = predictor.table(read)
    except AssayError as error:
        return SkewReport(
            version=version, rows=newest.num_rows, differing=newest.num_rows, first=f"batch: {error.what}"
        )
    return _compared(newest, read, again, version)


def values_missing(log: pa.Table, predictor: Predictor) -> str:
    """Return why a log does not hold what a model reads; empty where it does."""
    intake = predictor.intake
    needed = [column.name for column in intake.columns if column.name in intake.required or column.pii]
    missing = [name for name in needed if name not in log.column_names]
    names = ", ".join(missing[:5])
    return (
        f"the log has no values of {names}: serving.log.features: values keeps all but personal ones" if names else ""
    )


def logged_source(log: pa.Table, predictor: Predictor) -> pa.Table:
    """Return logged values as the rows of the model's source.

    Raises:
        AssayError: a value cannot be read.
    """
    return predictor.read(log.select([c.name for c in predictor.intake.columns if c.name in log.column_names]))


def _compared(served: pa.Table, read: pa.Table, again: pa.Table, version: str) -> SkewReport:
    differs, first = np.zeros(served.num_rows, dtype=bool), ""
    for name, logged, batch in (_digests(served, read), *_pairs(served, again)):
        different = _different(logged, batch)
        if different.any() and not first:
            at = int(different.argmax())
            request, row = served.column(REQUEST_ID)[at].as_py(), served.column(ROW)[at].as_py()
            first = f"row {row} of request {request}: {name} was {logged[at]!r}, and {batch[at]!r} as a batch"
        differs |= different
    return SkewReport(version=version, rows=served.num_rows, differing=int(differs.sum()), first=first)


def _digests(served: pa.Table, read: pa.Table) -> tuple[str, np.ndarray, np.ndarray]:
    """Return the digests of the rows as they were served, and of the logged values as a batch reads them.

    Rows with a missing value are left out: whether it was sent as missing, or its column not at all, is not logged.
    """
    logged = np.array(served.column(FEATURES).to_pylist(), dtype=object)
    pipeline = str(served.column(PIPELINE)[0])
    batch = np.array([f"{each:016x}" for each in row_hashes(read, read.column_names, pipeline).tolist()], dtype=object)
    whole = np.logical_and.reduce([column.is_valid().to_numpy() for column in read.columns])
    return "digest of the features", logged, np.where(whole, batch, logged)


def _pairs(served: pa.Table, again: pa.Table) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield each column of the predictions, as it was served and as a batch."""
    predicted = again.column(PREDICTION)
    if pa.types.is_floating(predicted.type) and served.column(LABEL).null_count == served.num_rows:
        yield PREDICTION, served.column(VALUE).to_numpy(), predicted.to_numpy()
        return
    texts = np.array([str(value) for value in predicted.to_pylist()], dtype=object)
    yield PREDICTION, np.array(served.column(LABEL).to_pylist(), dtype=object), texts
    for name in served.column_names:
        label = name.removeprefix(PROBABILITY)
        if name.startswith(PROBABILITY) and probability_of(label) in again.column_names:
            yield probability_of(label), served.column(name).to_numpy(), again.column(probability_of(label)).to_numpy()


def _different(logged: np.ndarray, batch: np.ndarray) -> np.ndarray:
    if logged.dtype == object:
        return np.asarray(logged != batch)
    bound = TOLERANCE * np.maximum(1.0, np.abs(batch))
    close = np.abs(logged - batch) <= bound
    return np.asarray(~(close | (np.isnan(logged) & np.isnan(batch))))
