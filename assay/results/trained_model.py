"""A fitted model with all that is needed to use, explain and rebuild it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, JsonValue

from assay.data.schema import TableSchema
from assay.results.golden import GoldenPredictions
from assay.results.intake import Intake
from assay.results.learned_rows import LearnedRows, Mask, learned_from
from assay.results.prediction_reference import PredictionReference
from assay.results.provenance import Provenance
from assay.specs.base import Spec
from assay.specs.pipeline import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa


class ModelManifest(Spec):
    """The facts of a fitted model; everything here is JSON."""

    pipeline: str
    task: Task
    target: str
    classes: tuple[str | bool | int | float, ...] = ()
    """Class labels in the order of `predict_proba`'s columns; for binary tasks the last is the positive one."""
    features: TableSchema
    """The columns that the model takes, in order."""
    unused_columns: dict[str, str] = {}
    """Columns of the training table that are no features, and why."""
    family: str
    members: tuple[str, ...] = Field(default=(), exclude_if=lambda members: not members)
    """The families that a stack or vote combines; the weights are among the parameters."""
    parameters: dict[str, JsonValue]
    scenario_applied: str
    """`full`, `incremental`, or `full (no champion yet)`."""
    seed: int
    model_version: str
    spec_digest: str
    data_digests: dict[str, str]
    """Fingerprint digest of the training data, by partition key (the empty key without partitions)."""
    learned: tuple[LearnedRows, ...] | None = None
    """Which rows the model may have learned from; None in manifests of earlier versions, which do not say."""
    train_rows: int
    holdout_rows: int
    library_versions: dict[str, str]
    own_classes: tuple[str, ...] = ()
    """The user's own estimators and transformers in the model, by the import paths of the pipeline file."""
    intake: Intake | None = Field(default=None, exclude_if=lambda intake: intake is None)
    """How it takes rows as the source has them; None in manifests of earlier versions, which take their features."""
    golden: GoldenPredictions | None = Field(default=None, exclude_if=lambda golden: golden is None)
    """What it predicted for the rows of the intake's example; None in manifests of earlier versions."""
    reference: PredictionReference | None = Field(default=None, exclude_if=lambda reference: reference is None)
    """What later predictions are compared with; None in manifests of earlier versions."""
    annotations: dict[str, str] = {}
    """Links to the outside, e.g. `mlflow_run_id`."""
    provenance: Provenance | None = None
    """How it was made; missing in manifests of earlier versions. It and the annotations are no part of the bundle's
    digest."""

    @property
    def partition(self) -> str | None:
        """The newest partition of the window, whose key names the model's own; None without partitions."""
        return max(self.data_digests) or None

    def learned_rules(self, *, time_partitions: bool) -> tuple[LearnedRows, ...] | None:
        """Return the rules that say which rows the model may have learned from; None where that is not known.

        Manifests of earlier versions name their partitions alone. Of several partitions the newest was the holdout;
        of a single time partition any row may have been learned from.
        """
        if self.learned is not None or not time_partitions:
            return self.learned
        keys = sorted(self.data_digests)
        return (LearnedRows(partitions=tuple(keys[:-1] or keys)),)

    def may_have_learned(
        self, table: "pa.Table", partition_of_row: "np.ndarray[Any, Any]", *, time_partitions: bool
    ) -> Mask | None:
        """Return which rows of a table the model may have learned from, shape (rows,); None where that is not known.

        Args:
            table: all columns of the rows.
            partition_of_row: partition key of each row, shape (rows,); "" without partitions.
            time_partitions: whether the pipeline's partitions are times.
        """
        rules = self.learned_rules(time_partitions=time_partitions)
        if rules is None or not all(rule.can_tell(table) for rule in rules):
            return None
        return learned_from(rules, table, partition_of_row)


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """A fitted scikit-learn pipeline and its manifest; the estimator is not refitted.

    Attributes:
        estimator: fitted `sklearn.pipeline.Pipeline` of preprocessing and model; takes the feature frame.
        manifest: its facts.
        input_example: up to five rows of the feature frame, as handed to `estimator`.
        files: writes the files that hold it already into a folder; saving it again would give other bytes.
    """

    estimator: Any
    manifest: ModelManifest
    input_example: "pd.DataFrame"
    files: Callable[[Path], object] | None = None

    def annotated(self, **annotations: str) -> Self:
        """Return the same model with more links in its manifest."""
        return self._with(annotations=self.manifest.annotations | annotations)

    def made(self, provenance: Provenance | None) -> Self:
        """Return the same model with how it was made."""
        return self._with(provenance=provenance)

    def compared_with(self, reference: PredictionReference) -> Self:
        """Return the same model with what later predictions are compared with."""
        return self._with(reference=reference)

    def taking(self, intake: Intake | None) -> Self:
        """Return the same model with how it takes rows."""
        return self._with(intake=intake)

    def repeating(self, golden: GoldenPredictions | None) -> Self:
        """Return the same model with what it has to predict again wherever it is loaded."""
        return self._with(golden=golden)

    def _with(self, **evidence: object) -> Self:
        return replace(self, manifest=self.manifest.model_copy(update=evidence), files=None)
