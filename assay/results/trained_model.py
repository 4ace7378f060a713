"""A fitted model with all that is needed to use, explain and rebuild it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, JsonValue

from assay.data.schema import TableSchema
from assay.errors import ArtifactNotFoundError
from assay.results.fit_options import FitOptions
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


class Refit(Spec):
    """The fit of a recipe on all rows of its window, where that is deployed."""

    rows: int
    learned: tuple[LearnedRows, ...] | None
    """Which rows the deployed model may have learned from; None where a base of an earlier version does not say."""


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
    options: FitOptions | None = Field(default=None, exclude_if=lambda options: options is None)
    """What `training` asked of the fit beside; None where nothing was."""
    scenario_applied: str
    """`full`, `incremental`, or `full (no champion yet)`."""
    seed: int
    model_version: str
    spec_digest: str
    data_digests: dict[str, str]
    """Fingerprint digest of the training data, by partition key (the empty key without partitions)."""
    learned: tuple[LearnedRows, ...] | None = None
    """Which rows the evaluated model may have learned from; None in manifests of earlier versions, which do not say."""
    train_rows: int
    """Rows that the evaluated model was fitted on."""
    holdout_rows: int
    refit: Refit | None = Field(default=None, exclude_if=lambda refit: refit is None)
    """Of the deployed model; None where the evaluated one is deployed."""
    library_versions: dict[str, str]
    own_classes: tuple[str, ...] = ()
    """The user's own estimators and transformers in the model, by the import paths of the pipeline file."""
    intake: Intake | None = Field(default=None, exclude_if=lambda intake: intake is None)
    """How it takes rows as the source has them; None in manifests of earlier versions, which take their features."""
    golden: GoldenPredictions | None = Field(default=None, exclude_if=lambda golden: golden is None)
    """What it predicted for the rows of the intake's example; None in manifests of earlier versions."""
    reference: PredictionReference | None = Field(default=None, exclude_if=lambda reference: reference is None)
    """What later predictions are compared with; None in manifests of earlier versions. Of the evaluated model."""
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

    @property
    def deployed_rows(self) -> int:
        """Rows that the deployed model was fitted on."""
        return self.train_rows if self.refit is None else self.refit.rows

    def deployed_rules(self, *, time_partitions: bool) -> tuple[LearnedRows, ...] | None:
        """Return `learned_rules` of the deployed model."""
        return self.refit.learned if self.refit is not None else self.learned_rules(time_partitions=time_partitions)

    def may_have_learned(
        self, table: "pa.Table", partition_of_row: "np.ndarray[Any, Any]", *, time_partitions: bool
    ) -> Mask | None:
        """Return which rows of a table the evaluated model may have learned from; None where that is not known.

        Args:
            table: all columns of the rows.
            partition_of_row: partition key of each row, shape (rows,); "" without partitions.
            time_partitions: whether the pipeline's partitions are times.

        Returns:
            A mask of the rows, shape (rows,).
        """
        return _by_rules(self.learned_rules(time_partitions=time_partitions), table, partition_of_row)

    def deployed_may_have_learned(
        self, table: "pa.Table", partition_of_row: "np.ndarray[Any, Any]", *, time_partitions: bool
    ) -> Mask | None:
        """Return the same of the deployed model."""
        return _by_rules(self.deployed_rules(time_partitions=time_partitions), table, partition_of_row)


def _by_rules(
    rules: tuple[LearnedRows, ...] | None, table: "pa.Table", partition_of_row: "np.ndarray[Any, Any]"
) -> Mask | None:
    if rules is None or not all(rule.can_tell(table) for rule in rules):
        return None
    return learned_from(rules, table, partition_of_row)


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """A fitted scikit-learn pipeline and its manifest; the estimator is not refitted.

    Where the recipe was fitted again on all rows, that is the estimator, which is deployed: it makes predictions. What
    the holdout says is of the evaluated model, which was fitted without it.

    Attributes:
        estimator: fitted `sklearn.pipeline.Pipeline` of preprocessing and model; takes the feature frame.
        manifest: its facts.
        input_example: up to five rows of the feature frame, as handed to `estimator`.
        files: writes the files that hold it already into a folder; saving it again would give other bytes.
        evaluated_fit: gives the evaluated model's pipeline; None where it is `estimator`.
    """

    estimator: Any
    manifest: ModelManifest
    input_example: "pd.DataFrame"
    files: Callable[[Path], object] | None = None
    evaluated_fit: Callable[[], Any] | None = None

    @property
    def evaluated(self) -> Self:
        """The model that the holdout evaluates; it has not learned from the holdout.

        Raises:
            ArtifactNotFoundError: the model was loaded for predictions alone.
        """
        if self.manifest.refit is None:
            return self
        if self.evaluated_fit is None:
            raise ArtifactNotFoundError(
                "the model was loaded for predictions, without the fit that its holdout evaluates",
                where=f"a model of pipeline {self.manifest.pipeline}",
                remedy="load the whole bundle",
            )
        manifest = self.manifest.model_copy(update={"refit": None})
        return replace(self, estimator=self.evaluated_fit(), manifest=manifest, files=None, evaluated_fit=None)

    def measured_on(
        self, table: "pa.Table", partition_of_row: "np.ndarray[Any, Any]", *, time_partitions: bool
    ) -> Self:
        """Return the deployed model where it has learned from none of these rows, else the evaluated one.

        Args:
            table: all columns of the rows.
            partition_of_row: partition key of each row, shape (rows,); "" without partitions.
            time_partitions: whether the pipeline's partitions are times.
        """
        if self.manifest.refit is None:
            return self
        learned = self.manifest.deployed_may_have_learned(table, partition_of_row, time_partitions=time_partitions)
        return self if learned is not None and not learned.any() else self.evaluated

    def for_predictions(self) -> Self:
        """Return the model without what predictions do not need."""
        return replace(self, evaluated_fit=None)

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


def annotation_in_words(name: str) -> str:
    """Return the name of an annotation for people: `MLflow run id` of `mlflow_run_id`."""
    return name.replace("_", " ").replace("mlflow", "MLflow")
