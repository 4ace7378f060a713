"""What monitoring compares: the rows of a window, and the champion with its training and holdout rows."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from assay.learning.evaluation.bootstrap import Units, units_of
from assay.learning.evaluation.evaluating import truth_of
from assay.learning.evaluation.metrics import primary_metric
from assay.learning.evaluation.predictions import Predictions, predict
from assay.learning.splitting import LabelledRows, labelled_rows
from assay.monitoring.estimates import LabelFreeEstimator
from assay.monitoring.scored import Scored, standard_error
from assay.promotion.champion import CurrentChampion
from assay.results.trained_model import TrainedModel
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd

RowsOf: TypeAlias = Callable[[str], LabelledRows | None]
"""Returns the validated rows of a partition as the champion takes them; None where there are none."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownRows:
    """Rows of one partition whose target is known.

    Attributes:
        partition: key; empty without partitions.
        rows: the rows, as the champion takes them.
        trained_on: whether they are of a version of the partition that the champion was trained on.
        units: what is resampled of them.
        model: the deployed model where it has learned from none of them, else the evaluated one; None for that.
    """

    partition: str
    rows: LabelledRows
    trained_on: bool = False
    units: Units = field(default_factory=Units)
    model: TrainedModel | None = None

    @classmethod
    def of(
        cls, table: pa.Table, partition: str, champion: CurrentChampion, spec: PipelineSpec, *, trained_on: bool = False
    ) -> "KnownRows":
        """Return a table's rows as the champion takes them."""
        rows = labelled_rows(table, champion.model.manifest.features, spec)
        measured = champion.measured_on(table, partition, spec)
        return cls(partition, rows, trained_on, units_of(table, spec), measured)


@dataclass(frozen=True, slots=True, eq=False)
class MonitoredWindow:
    """The newest rows.

    Attributes:
        partition: key; empty without partitions.
        features: as the champion takes them; the target may be unknown yet.
        trained_on: whether the champion was trained on these rows.
        labelled: the newest rows whose target is known: these, or with a label delay those of an earlier partition;
            None where there are none.
        unlearned: those of them that the champion has not learned from; None where it is not known which they are.
        season: rows of the same season before the champion was trained; None where there are none.
        metric_columns: of the newest rows, what metrics ask for.
        served: the champion's predictions of these rows, where they are not computed but known; rows whose features
            are not known have a frame without columns then.
    """

    partition: str
    features: "pd.DataFrame"
    trained_on: bool = False
    labelled: KnownRows | None = None
    unlearned: KnownRows | None = None
    season: KnownRows | None = None
    metric_columns: "pd.DataFrame | None" = None
    served: Predictions | None = None

    @property
    def has_features(self) -> bool:
        """Whether the values of the features are known."""
        return len(self.features.columns) > 0 or self.served is None


@dataclass(frozen=True, eq=False)
class Reference:
    """The champion and its rows; what is computed of them is computed once.

    Attributes:
        version: of the champion.
        model: the champion.
        value_at_promotion: its primary metric at promotion; None where that was not recorded.
        train: the rows that it was trained on; None where they are not in the store any more.
        holdout: the rows that it was evaluated on; None where they are not known.
        spec: the pipeline.
        holdout_units: what is resampled of the holdout.
    """

    version: str
    model: TrainedModel
    value_at_promotion: float | None
    train: LabelledRows | None
    holdout: LabelledRows | None
    spec: PipelineSpec
    holdout_units: Units = field(default_factory=Units)

    @classmethod
    def of(cls, champion: CurrentChampion, window: Mapping[str, pa.Table], spec: PipelineSpec) -> "Reference":
        """Return the champion with its rows, by the rule that says which it has learned from.

        Args:
            champion: the current champion.
            window: all columns of the rows that it was trained and evaluated on, by partition key; may be empty.
            spec: the pipeline. What it says of the split does not count: the champion may be older.
        """
        masks = {key: champion.may_have_learned(table, key, spec) for key, table in window.items()}
        known = [(table, masks[key]) for key, table in window.items()]
        train = _together(table if mask is None else table.filter(pa.array(mask)) for table, mask in known)
        held_out = _together(table.filter(pa.array(~mask)) for table, mask in known if mask is not None)
        features = champion.model.manifest.features
        return cls(
            version=champion.version,
            model=champion.model,
            value_at_promotion=champion.value_at_promotion,
            train=None if train is None else labelled_rows(train, features, spec),
            holdout=None if held_out is None else labelled_rows(held_out, features, spec),
            spec=spec,
            holdout_units=Units() if held_out is None else units_of(held_out, spec),
        )

    @cached_property
    def holdout_predictions(self) -> Predictions | None:
        """The champion's predictions of its holdout."""
        if self.holdout is None:
            return None
        return self.predictions(self.holdout.features).beside(self.holdout.metric_columns)

    @cached_property
    def holdout_scored(self) -> Scored | None:
        """The champion's holdout with its predictions."""
        if self.holdout is None or self.holdout_predictions is None:
            return None
        return Scored(self.holdout.features, truth_of(self.holdout), self.holdout_predictions, self.holdout_units)

    @cached_property
    def holdout_noise(self) -> float | None:
        """Standard error of the primary metric on the holdout."""
        known = self.holdout_scored
        return None if known is None else standard_error(primary_metric(self.spec), known, self.spec.training.seed)

    @cached_property
    def estimator(self) -> LabelFreeEstimator | None:
        """The estimator of metrics without labels, fitted on the holdout; None without one."""
        known = self.holdout_scored
        return None if known is None else LabelFreeEstimator.fitted(known, self.model.manifest, self.spec)

    def predictions_of(self, window: MonitoredWindow) -> Predictions:
        """Return the champion's predictions of a window's newest rows: what was served, or else as `predictions`."""
        return self.predictions(window.features) if window.served is None else window.served

    def predictions(self, features: "pd.DataFrame") -> Predictions:
        """Return the predictions of some rows by the champion's evaluated fit, which also predicts the holdout."""
        return self._predicted(self.model.evaluated, features)

    def predictions_of_known(self, known: KnownRows) -> Predictions:
        """Return the champion's predictions of rows whose target is known, as deployed where these are new to it."""
        found = self._predicted(known.model or self.model.evaluated, known.rows.features)
        return found.beside(known.rows.metric_columns)

    def _predicted(self, model: TrainedModel, features: "pd.DataFrame") -> Predictions:
        from assay.learning.estimators.assembly import limited_threads

        manifest = model.manifest
        with limited_threads(self.spec.training.threads):
            return predict(model.estimator, features[list(manifest.features.names)], manifest.classes, self.spec.task)


def _together(tables: Iterable[pa.Table]) -> pa.Table | None:
    """Return the rows of some tables; None where there are none."""
    filled = [table for table in tables if table.num_rows]
    return pa.concat_tables(filled, promote_options="permissive") if filled else None
