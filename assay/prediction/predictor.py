"""A stored model that predicts rows as their owner has them, the features stage included."""

import base64
import io
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.frames import feature_frame
from assay.data.frozen_schema import FrozenSchema
from assay.data.schema import ColumnSchema, TableSchema
from assay.data.source_rows import derive_columns
from assay.errors import DataContractError
from assay.features.feature_set import feature_set_of
from assay.features.prepared import PreparedSteps
from assay.learning.evaluation.predictions import Predictions, predict
from assay.learning.intervals import interval_ends
from assay.prediction.rows import UserRows, arrow_rows, in_source_types, number_of_rows
from assay.results.intake import Intake
from assay.results.trained_model import ModelManifest, TrainedModel
from assay.specs.dataset import DatasetSpec, ReadLimits
from assay.specs.pipeline import PipelineSpec
from assay.specs.validation import ValidationSpec

if TYPE_CHECKING:
    import pandas as pd

PREDICTION = "prediction"
LOWER, UPPER = "lower", "upper"
_WHERE = "the rows to predict"
_ADDRESS = "rows"


def probability_of(label: Any) -> str:
    """Return the name of the column of a class's probabilities."""
    return f"probability_{label}"


@dataclass(frozen=True)
class Predictor:
    """A model and how it takes rows; the features stage runs in this process, by locked connections.

    Attributes:
        model: the model.
    """

    model: TrainedModel

    @cached_property
    def intake(self) -> Intake:
        """How rows are taken; a model of an earlier version takes rows of its features."""
        return self.model.manifest.intake or _of_features(self.model.manifest)

    def predict(self, rows: UserRows, *, probabilities: bool = True, interval: float = 0.0) -> "pd.DataFrame":
        """Predict rows of any form.

        Args:
            rows: a frame, an Arrow table, columns by name or records; further columns are left out.
            probabilities: whether a classification gives `probability_<class>` of each class beside the label.
            interval: of a regression: the share of targets that the interval from `lower` to `upper` is to hold, such
                as 0.9; 0 for no interval.

        Returns:
            Shape (rows, 1 + classes), one row for each row in order; a frame's index is kept.

        Raises:
            MissingColumnError: a required column is absent.
            DataContractError: a value cannot be read; names column and row. Or the model gives no such interval.
            FeatureStepError: a step cannot be computed for a row.
        """
        import pandas as pd

        table = self.table(rows, probabilities=probabilities, interval=interval)
        frame: pd.DataFrame = table.to_pandas(date_as_object=False)
        if isinstance(rows, pd.DataFrame) and len(frame) == len(rows):
            frame.index = rows.index
        return frame

    def table(self, rows: UserRows, *, probabilities: bool = True, interval: float = 0.0) -> pa.Table:
        """Predict as `predict` does, into an Arrow table."""
        source = self.read(rows)
        found = self.of_source(source) if number_of_rows(rows) else self._of_no_rows()
        return self.shown(found, probabilities=probabilities, interval=interval)

    def read(self, rows: UserRows) -> pa.Table:
        """Return rows of any form in the types of the model's source.

        Raises:
            AssayError: as of `predict`.
        """
        return self.source_rows(arrow_rows(rows, self.intake.columns, where=_WHERE))

    def shown(self, found: Predictions, *, probabilities: bool = True, interval: float = 0.0) -> pa.Table:
        """Return predictions as columns; see `predict`.

        Raises:
            DataContractError: the model gives no such interval.
        """
        facts = self.model.manifest
        made = columns_of(found, facts, probabilities=probabilities)
        if interval:
            made |= interval_columns(found, self.model, interval)
        return pa.table(made)

    def source_rows(self, table: pa.Table, *, where: str = _WHERE, before: int = 0) -> pa.Table:
        """Return rows in the types of the model's source; `before` other rows come before them, for errors.

        Raises:
            MissingColumnError: a required column is absent.
            DataContractError: a value cannot be read; names column and row.
        """
        intake = self.intake
        zone = intake.dataset.partitions.timezone
        return in_source_types(table, intake.columns, intake.required, zone, where=where, before=before)

    def of_source(self, source: pa.Table, *, where: str = _WHERE) -> Predictions:
        """Predict rows that have the types of the model's source."""
        facts = self.model.manifest
        return predict(self.model.estimator, self.features_of(source, where=where), facts.classes, facts.task)

    def features_of(self, source: pa.Table, *, where: str = _WHERE) -> "pd.DataFrame":
        """Return the features of rows that have the types of the model's source, as the estimator takes them."""
        return feature_frame(self._feature_rows(source, where), self.model.manifest.features)

    @property
    def limits(self) -> ReadLimits:
        """What reading one file of rows may cost."""
        return self.intake.dataset.limits

    def _feature_rows(self, source: pa.Table, where: str) -> pa.Table:
        """Return the rows with all features: derived columns, or what the steps make."""
        intake = self.intake
        if intake.features is None:
            return derive_columns(source, intake.dataset, labelled=False)
        schema = TableSchema(version=1, columns=tuple(c for c in intake.columns if c.name in source.column_names))
        dataset = Dataset(table=source, schema=schema, fingerprint=fingerprint(source), notes={})
        made = feature_set_of(
            dataset, self._pipeline, _Frozen(intake.feature_set), labelled=False, where=where, joined=self._joined,
            prepared=self._prepared,
        )  # fmt: skip
        if made.rows.table.num_rows != source.num_rows:
            raise DataContractError(
                "the steps do not give one row for each row",
                where=where,
                found=f"{made.rows.table.num_rows:,} rows of {source.num_rows:,}",
                expected="one prediction for each row",
                remedy="leave out rows that a filter with `applies_to: all` or an inner join drops",
            )
        return made.rows.table

    @cached_property
    def _joined(self) -> dict[str, Dataset]:
        """The rows of the joined sources that the model carries."""
        tables = {name: pq.read_table(io.BytesIO(base64.b64decode(text))) for name, text in self.intake.tables.items()}
        empty = TableSchema(version=1, columns=())
        return {name: Dataset(table, empty, fingerprint(table)) for name, table in tables.items()}

    @cached_property
    def _prepared(self) -> PreparedSteps | None:
        """What the steps keep between calls."""
        features = self.intake.features
        tables = {name: each.table for name, each in self._joined.items()}
        return None if features is None else PreparedSteps.of(self.limits, features, tables, _WHERE)

    @cached_property
    def _pipeline(self) -> PipelineSpec:
        """The part of the pipeline that the features stage reads."""
        intake, facts = self.intake, self.model.manifest
        return PipelineSpec.model_construct(
            name=facts.pipeline,
            task=facts.task,
            dataset=intake.dataset,
            features=intake.features,
            validation=ValidationSpec(show_values=intake.show_values),
        )

    def _of_no_rows(self) -> Predictions:
        facts = self.model.manifest
        if not facts.task.is_classification:
            return Predictions(np.empty(0), None, ())
        has_probabilities = hasattr(self.model.estimator, "predict_proba")
        shares = np.empty((0, len(facts.classes))) if has_probabilities else None
        return Predictions(np.empty(0, dtype=object), shares, facts.classes)


def batch_columns(found: Predictions, model: TrainedModel) -> dict[str, pa.Array]:
    """Return predictions of a batch as columns: those of `columns_of`, and the interval that the pipeline asks for."""
    options = model.manifest.options
    share = None if options is None else options.interval
    asked = {} if share is None else interval_columns(found, model, share)
    return columns_of(found, model.manifest) | asked


def interval_columns(found: Predictions, model: TrainedModel, share: float) -> dict[str, pa.Array]:
    """Return the ends of the intervals that are to hold a share of the targets, as columns.

    Raises:
        DataContractError: the model predicts classes, is of an earlier version, or its holdout is too small.
    """
    facts = model.manifest
    ends = interval_ends(model, found.labels, share) if not facts.task.is_classification else None
    if ends is None:
        raise DataContractError(
            "the model gives no such interval",
            where="interval",
            found=f"{share:g}, of {facts.reference.rows if facts.reference is not None else 0:,} holdout rows",
            expected="a share between 0 and 1 of a regression, below the number of its holdout rows by itself plus 1",
            remedy="ask for a smaller share, or for none",
        )
    return {LOWER: pa.array(ends[0]), UPPER: pa.array(ends[1])}


def columns_of(found: Predictions, facts: ModelManifest, *, probabilities: bool = True) -> dict[str, pa.Array]:
    """Return predictions as columns: `prediction`, and `probability_<class>` (float64) of each class."""
    dtype = pa.array(facts.classes).type if facts.task.is_classification else pa.float64()
    columns = {PREDICTION: pa.array(found.labels.tolist(), dtype)}
    if probabilities and found.probabilities is not None:
        shares = np.asarray(found.probabilities, dtype=np.float64)
        columns |= {probability_of(label): pa.array(shares[:, n]) for n, label in enumerate(found.classes)}
    return columns


def _of_features(facts: ModelManifest) -> Intake:
    """Return the intake of a model that takes rows of its features."""
    dataset = DatasetSpec(source=_ADDRESS, target=facts.target, schema_version=facts.features.version)
    columns: tuple[ColumnSchema, ...] = facts.features.columns
    return Intake(dataset=dataset, columns=columns, required=facts.features.names)


@dataclass(frozen=True, slots=True)
class _Frozen:
    """A schema version that is frozen."""

    schema: FrozenSchema | None

    def frozen(self) -> FrozenSchema | None:
        """Return the schema."""
        return self.schema

    def freeze(self, first: FrozenSchema) -> FrozenSchema:
        """Return the frozen schema, or the first."""
        return self.schema or first
