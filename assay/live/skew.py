"""Training-serving skew: whether served rows get the same prediction on the batch path."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import AssayError
from assay.prediction.golden import TOLERANCE
from assay.prediction.predictor import PREDICTION, Predictor, probability_of
from assay.serving.prediction_log import LABEL, PROBABILITY, REQUEST_ID, ROW, TIME, VALUE, VERSION
from assay.specs.base import Spec

_MOST_ROWS = 2_000


class SkewReport(Spec):
    """Served predictions of one version, made again on the batch path from the values that were logged."""

    version: str
    rows: int = 0
    """Predicted again: the newest ones."""
    differing: int = 0
    """Of them, rows of which a number differs by more than 1e-9, or the class."""
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
    needed, known = predictor.intake.required, set(log.column_names)
    if missing := [name for name in needed if name not in known]:
        why = f"the log has no values of {', '.join(missing[:5])}: serving.log.features: values keeps them, but no"
        return SkewReport(version=version, reason=f"{why} personal ones")
    newest = rows.take(pc.sort_indices(rows, sort_keys=[(TIME, "descending")])[:_MOST_ROWS])
    if not newest.num_rows:
        return SkewReport(version=version, reason="no rows")
    columns = [column.name for column in predictor.intake.columns if column.name in known]
    try:
        again = predictor.table(newest.select(columns))
    except AssayError as error:
        return SkewReport(
            version=version, rows=newest.num_rows, differing=newest.num_rows, first=f"batch: {error.what}"
        )
    return _compared(newest, again, version)


def _compared(served: pa.Table, again: pa.Table, version: str) -> SkewReport:
    differs, first = np.zeros(served.num_rows, dtype=bool), ""
    for name, logged, batch in _pairs(served, again):
        different = _different(logged, batch)
        if different.any() and not first:
            at = int(different.argmax())
            request, row = served.column(REQUEST_ID)[at].as_py(), served.column(ROW)[at].as_py()
            first = f"row {row} of request {request}: {name} was {logged[at]!r}, and {batch[at]!r} as a batch"
        differs |= different
    return SkewReport(version=version, rows=served.num_rows, differing=int(differs.sum()), first=first)


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
