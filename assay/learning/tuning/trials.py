"""The measurement of a trial: folds inside the training rows, their preprocessed matrices, and the metric's mean.

Preprocessing depends on the fold, the family's encoding and the searched parameters of its steps, not on the model's,
so it is fitted once for each of these and reused by all trials. Nothing is fitted on validation rows.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from assay.data.schema import TableSchema
from assay.errors import DataContractError, SingleClassError
from assay.learning.estimators.assembly import build_model, fitted_matrix, preprocessor_for
from assay.learning.estimators.family import Family
from assay.learning.evaluation.metrics import Metric, measure
from assay.learning.evaluation.predictions import predict
from assay.learning.splitting import LabelledRows
from assay.specs.base import digest_of
from assay.specs.pipeline import PipelineSpec
from assay.specs.preprocessing import is_step_key

if TYPE_CHECKING:
    import pandas as pd
    from optuna.trial import Trial

_LEAST = 2
_KEPT_BYTES = 1 << 30


class Fold(NamedTuple):
    """Positions of the rows to fit on and of the rows to measure on."""

    train: np.ndarray
    validation: np.ndarray


def make_folds(target: "pd.Series", spec: PipelineSpec, groups: np.ndarray | None) -> tuple[Fold, ...]:
    """Cut the training rows into folds.

    Classification gets stratified folds, at most as many as the smallest class has rows. Groups stay
    whole. Split by time has one fold: it validates on the newest training partition, or, if there is only one, on its
    last rows, a share of `split.test_size`.

    Args:
        target: the target of each training row, shape (n,).
        spec: the pipeline; gives kind, number and seed.
        groups: of each row, shape (n,), as `Split.train_groups` has them; None where rows stand alone.

    Returns:
        At least one fold.

    Raises:
        SingleClassError: a class has a single row.
        DataContractError: too few rows or groups.
    """
    from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

    if groups is not None and spec.split.by == "time":
        return (_newest(groups, spec),)
    splitter: type[GroupKFold | KFold | StratifiedKFold]
    if groups is not None:
        splitter, members, unit = GroupKFold, len(np.unique(groups)), "group"
    elif spec.task.is_classification:
        splitter, members, unit = StratifiedKFold, _smallest_class(target, spec), "row"
    else:
        splitter, members, unit = KFold, len(target), "row"
    if members < _LEAST:
        raise _too_few(f"{members} {unit}", spec)
    folds = splitter(n_splits=min(spec.tuning.folds, members), shuffle=True, random_state=spec.training.seed)
    return tuple(Fold(*parts) for parts in folds.split(np.zeros(len(target)), target, groups))


def _newest(partitions: np.ndarray, spec: PipelineSpec) -> Fold:
    newest = partitions == max(partitions)
    if newest.all():
        newest = np.arange(len(partitions)) >= int(len(partitions) * (1 - spec.split.test_size))
    fold = Fold(np.flatnonzero(~newest), np.flatnonzero(newest))
    if not (len(fold.train) and len(fold.validation)):
        raise _too_few(f"{len(partitions)} rows", spec)
    return fold


def _smallest_class(target: "pd.Series", spec: PipelineSpec) -> int:
    counts = target.value_counts()
    if counts.min() < _LEAST:
        raise SingleClassError(
            "a class has a single training row, so it cannot be fitted on and measured",
            where=f"{spec.name}, {spec.dataset.target}",
            found=f"class {counts.idxmin()!r}: 1 row",
            expected="at least 2 training rows in each class",
            remedy="merge or drop the class, add rows, or disable tuning",
        )
    return int(counts.min())


def _too_few(found: str, spec: PipelineSpec) -> DataContractError:
    return DataContractError(
        "the training rows cannot be cut into folds",
        where=f"{spec.name}, tuning.folds",
        found=found,
        expected="at least 2 rows, and at least 2 groups for split by group",
        remedy="add data, or disable tuning",
    )


class FoldMatrices(NamedTuple):
    """One fold as input of models: float64 matrices of shape (rows, outputs), dense or sparse, and their targets."""

    train: Any
    train_target: np.ndarray
    validation: Any
    validation_target: np.ndarray
    validation_asked: "pd.DataFrame | None" = None
    """Columns of the validation rows that metrics ask for."""


class FoldCache:
    """Preprocessed folds, cached up to a gigabyte and recomputed beyond it."""

    def __init__(self, rows: LabelledRows, features: TableSchema, folds: Sequence[Fold], spec: PipelineSpec) -> None:
        self._rows = rows
        self.features = features
        self._folds = folds
        self._spec = spec
        self._kept: dict[tuple[int, str, bool, str], FoldMatrices] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._folds)

    def fold(self, number: int, family: Family, parameters: Mapping[str, Any]) -> FoldMatrices:
        """Return a fold in the encoding of a family, with what `parameters` hold of preprocessing steps."""
        steps = {name: value for name, value in parameters.items() if is_step_key(name)}
        key = (number, family.card.encoding, family.card.dense, digest_of(steps))
        if key in self._kept:
            return self._kept[key]
        matrices = self._computed(self._folds[number], family, steps)
        size = _size(matrices.train) + _size(matrices.validation)
        if self._bytes + size <= _KEPT_BYTES:
            self._kept[key] = matrices
            self._bytes += size
        return matrices

    def _computed(self, fold: Fold, family: Family, steps: Mapping[str, Any]) -> FoldMatrices:
        features, target = self._rows.features, self._rows.target.to_numpy()
        preprocessor = preprocessor_for(family, steps, self.features, self._spec)
        train, train_target = fitted_matrix(preprocessor, features.iloc[fold.train], target[fold.train])
        validation = preprocessor.transform(features.iloc[fold.validation])
        asked = self._rows.metric_columns
        beside = None if asked is None else asked.iloc[fold.validation]
        return FoldMatrices(train, train_target, validation, target[fold.validation], beside)


def _size(matrix: Any) -> int:
    if hasattr(matrix, "memory_usage"):  # an ensemble takes the frame
        return int(matrix.memory_usage(deep=True).sum())
    # a sparse matrix has its values, their columns and its row pointers
    return int(matrix.nbytes) if isinstance(matrix, np.ndarray) else int(matrix.data.nbytes + matrix.indices.nbytes)


@dataclass(frozen=True, slots=True)
class Measurement:
    """The outcome of a trial: the mean of the metric over the folds, or the reason why there is none."""

    state: Literal["complete", "pruned", "failed"]
    value: float | None = None
    reason: str = ""


class _FoldError(Exception):
    """The metric has no value on a fold."""


class TrialRunner:
    """Measures points by the mean of the primary metric over the folds."""

    def __init__(self, cache: FoldCache, metric: Metric, classes: tuple[Any, ...], spec: PipelineSpec) -> None:
        self._cache = cache
        self._metric = metric
        self._classes = classes
        self._spec = spec

    def measure(self, family: Family, parameters: Mapping[str, Any], trial: "Trial") -> Measurement:
        """Fit and measure on each fold in turn; an exception of the model becomes a reason.

        The trial receives the mean after each fold, and may be pruned.
        """
        try:
            return self._over_folds(family, parameters, trial)
        except Exception as error:  # noqa: BLE001 - a model may raise anything, and the search goes on
            return Measurement("failed", reason=_reason(error))

    def _over_folds(self, family: Family, parameters: Mapping[str, Any], trial: "Trial") -> Measurement:
        values: list[float] = []
        for number in range(len(self._cache)):
            values.append(self._on_fold(number, family, parameters))
            trial.report(float(np.mean(values)), step=number)
            if number + 1 < len(self._cache) and trial.should_prune():
                return Measurement("pruned", reason=f"below the median after fold {number + 1} of {len(self._cache)}")
        return Measurement("complete", value=float(np.mean(values)))

    def _on_fold(self, number: int, family: Family, parameters: Mapping[str, Any]) -> float:
        matrices = self._cache.fold(number, family, parameters)
        model = build_model(family, parameters, self._cache.features, self._spec)
        with warnings.catch_warnings():
            # a model that has not converged is measured like any other
            warnings.simplefilter("ignore")
            model.fit(matrices.train, matrices.train_target)
            predictions = predict(model, matrices.validation, self._classes, self._spec.task)
        predictions = predictions.beside(matrices.validation_asked)
        measured = measure(self._metric, matrices.validation_target, predictions)
        if measured.value is None:
            raise _FoldError(f"{self._metric.name} on fold {number + 1}: {measured.reason}")
        return measured.value


def _reason(error: Exception) -> str:
    found = getattr(error, "found", "")
    text = f"{error.args[0] if error.args else error}" + (f": {found}" if found else "")
    return text if isinstance(error, _FoldError) else f"{type(error).__name__}: {text}"
