"""Logged predictions beside their labels: which are labelled, which wait, which lack a label."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import MissingColumnError
from assay.live.label_versions import KNOWN_AT, current_labels, keys_as_text, value_column
from assay.serving.prediction_log import EXPERIMENT, REQUEST_ID, ROW, SHADOW, TIME
from assay.serving.prediction_log import KEY as ARM_KEY
from assay.specs.base import Spec
from assay.specs.labels import LabelsSpec
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd


class LabelCounts(Spec):
    """What has become of the labels of the served predictions; those in the shadow are not counted again."""

    predictions: int
    labelled: int
    """Older than the delay, with a label: these are measured."""
    early: int
    """With a label, but younger than the delay: they count once they are older."""
    waiting: int
    """Without a label, and younger than the delay."""
    missing: int
    """Without a label, though older than the delay."""
    late: int
    """Labelled, by a label that came after the delay."""
    orphans: int
    """Keys of labels that no prediction has."""

    @property
    def missing_share(self) -> float:
        """Share of the predictions older than the delay that lack a label."""
        due = self.labelled + self.missing
        return self.missing / due if due else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class LabelledLog:
    """The rows of a prediction log that count, with their labels.

    Attributes:
        log: rows with a label, older than the delay.
        truth: shape (n,): the labels, classes as text or numbers.
        counted_at: shape (n,), datetime64[us] in UTC: when each row began to count.
        counts: of the whole log.
        missing: predictions older than the delay that lack a label, by experiment.
    """

    log: pa.Table
    truth: np.ndarray
    counted_at: np.ndarray
    counts: LabelCounts
    missing: Mapping[str, int] = field(default_factory=dict)

    def where(self, mask: np.ndarray) -> "LabelledLog":
        """Return some of the rows, by mask."""
        rows = self.log.filter(pa.array(mask))
        return LabelledLog(rows, self.truth[mask], self.counted_at[mask], self.counts, self.missing)


def join_labels(
    log: pa.Table, versions: pa.Table, labels: LabelsSpec, spec: PipelineSpec, now: dt.datetime
) -> LabelledLog:
    """Join labels to logged predictions.

    A row counts from the time at which it is older than the delay and its first label is known, and so in an order that
    a correction does not change.

    Args:
        log: rows of the prediction log, each once.
        versions: of the labels.
        labels: how they are joined.
        spec: the pipeline.
        now: the time whose knowledge counts, with a zone.

    Raises:
        MissingColumnError: the log lacks a column of the key.
    """
    current, forms = current_labels(versions, spec), _log_keys(log, labels, spec)
    matched = _matched(current, forms)
    found = matched[KNOWN_AT].notna().to_numpy()
    first_known = matched[KNOWN_AT].dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    made = log.column(TIME).cast(pa.timestamp("us")).to_numpy()
    due = made + np.timedelta64(labels.delay_microseconds, "us")
    moment = np.datetime64(now.astimezone(dt.UTC).replace(tzinfo=None), "us")
    counted = found & (due <= moment) & (first_known <= moment)
    served = ~log.column(SHADOW).to_numpy()
    missing = served & ~found & (due <= moment)
    counts = LabelCounts(
        predictions=int(served.sum()),
        labelled=int((served & counted).sum()),
        early=int((served & found & ~counted).sum()),
        waiting=int((served & ~found & (due > moment)).sum()),
        missing=int(missing.sum()),
        late=int((served & counted & (first_known > due)).sum()),
        orphans=int((~current.index.isin(np.concatenate(forms))).sum()),
    )
    truth = matched[value_column(spec)].to_numpy()
    counted_at = np.maximum(due, np.where(found, first_known, due))
    lacking = Counter(log.column(EXPERIMENT).filter(pa.array(missing)).to_pylist())
    return LabelledLog(log.filter(pa.array(counted)), truth[counted], counted_at[counted], counts, lacking)


def _log_keys(log: pa.Table, labels: LabelsSpec, spec: PipelineSpec) -> list[np.ndarray]:
    """Return the forms of each row's key, shape (n,) each; the first that a label has counts."""
    if labels.by_request:
        return _request_keys(log)
    own = spec.serving.key if spec.serving is not None else None
    columns = []
    for name in labels.key_columns:
        if name not in log.column_names and name != own:
            raise MissingColumnError(
                f"the log of predictions has no column '{name}'",
                where="serving.labels.key",
                found=", ".join(log.column_names),
                expected="columns that are logged by their values",
                remedy=f"name '{name}' in serving.columns, so that it is logged",
            )
        columns.append(log.column(name if name in log.column_names else ARM_KEY))
    return [np.asarray(keys_as_text(columns).to_numpy())]


def _request_keys(log: pa.Table) -> list[np.ndarray]:
    """Return the request with the number of the row, and alone for the row of a request that has no other."""
    request, row = log.column(REQUEST_ID), log.column(ROW)
    with_row, alone = keys_as_text([request, row]), keys_as_text([request])
    several = pc.unique(request.filter(pc.greater(row, 1)))
    only = pc.invert(pc.is_in(request, several))
    return [np.asarray(each.to_numpy()) for each in (with_row, pc.if_else(only, alone, pa.scalar(None, pa.string())))]


def _matched(current: "pd.DataFrame", forms: list[np.ndarray]) -> "pd.DataFrame":
    """Return the label of each row, missing where no label has arrived."""
    matched = [current.reindex(keys).reset_index(drop=True) for keys in forms]
    first = matched[0]
    for other in matched[1:]:
        first = first.where(first[KNOWN_AT].notna(), other)
    return first
