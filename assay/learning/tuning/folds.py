"""Folds inside the training rows, and their preprocessed matrices.

Preprocessing depends only on the fold and the family's encoding, not on the searched hyperparameters, so it is fitted
once for each pair and reused by all trials. Nothing is fitted on validation rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.data.schema import TableSchema
from assay.errors import DataContractError, SingleClassError
from assay.learning.estimators.assembly import preprocessor_for
from assay.learning.estimators.family import Family
from assay.learning.splitting import LabelledRows
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd

_LEAST = 2


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Row positions.

    Attributes:
        train: rows to fit on.
        validation: rows to measure on.
    """

    train: np.ndarray
    validation: np.ndarray


def make_folds(target: "pd.Series", spec: PipelineSpec, groups: np.ndarray | None) -> tuple[Fold, ...]:
    """Cut the training rows into folds.

    Classification gets stratified folds, at most as many as the smallest class has rows. Split by group keeps groups
    whole. Split by time has one fold: it validates on the newest training partition, or, if there is only one, on its
    last rows, a share of `split.test_size`.

    Args:
        target: the target of each training row, shape (n,).
        spec: the pipeline; gives kind, number and seed.
        groups: group or partition key of each row, shape (n,), for split by group or time.

    Returns:
        At least one fold.

    Raises:
        SingleClassError: a class has a single row.
        DataContractError: too few rows or groups.
    """
    if groups is not None and spec.split.by == "time":
        return (_newest(groups, spec),)
    if groups is not None:
        return _by_group(groups, spec)
    return _stratified(target, spec) if spec.task.is_classification else _plain(target, spec)


def _newest(partitions: np.ndarray, spec: PipelineSpec) -> Fold:
    newest = partitions == max(partitions)
    if newest.all():
        cut = int(len(partitions) * (1 - spec.split.test_size))
        newest = np.arange(len(partitions)) >= cut
    fold = Fold(np.flatnonzero(~newest), np.flatnonzero(newest))
    if not (len(fold.train) and len(fold.validation)):
        raise _too_few(f"{len(partitions)} rows", spec)
    return fold


def _by_group(groups: np.ndarray, spec: PipelineSpec) -> tuple[Fold, ...]:
    from sklearn.model_selection import GroupKFold

    count = min(spec.tuning.folds, len(np.unique(groups)))
    if count < _LEAST:
        raise _too_few(f"{count} group", spec)
    splitter = GroupKFold(n_splits=count, shuffle=True, random_state=spec.training.seed)
    return tuple(Fold(train, validation) for train, validation in splitter.split(groups, groups=groups))


def _stratified(target: "pd.Series", spec: PipelineSpec) -> tuple[Fold, ...]:
    from sklearn.model_selection import StratifiedKFold

    counts = target.value_counts()
    if counts.min() < _LEAST:
        raise SingleClassError(
            "a class has a single training row, so it cannot be fitted on and measured",
            where=f"{spec.name}, {spec.dataset.target}",
            found=f"class {counts.idxmin()!r}: 1 row",
            expected="at least 2 training rows in each class",
            remedy="merge or drop the class, add rows, or disable tuning",
        )
    count = min(spec.tuning.folds, int(counts.min()))
    splitter = StratifiedKFold(n_splits=count, shuffle=True, random_state=spec.training.seed)
    return tuple(Fold(train, validation) for train, validation in splitter.split(np.zeros(len(target)), target))


def _plain(target: "pd.Series", spec: PipelineSpec) -> tuple[Fold, ...]:
    from sklearn.model_selection import KFold

    count = min(spec.tuning.folds, len(target))
    if count < _LEAST:
        raise _too_few(f"{len(target)} row", spec)
    splitter = KFold(n_splits=count, shuffle=True, random_state=spec.training.seed)
    return tuple(Fold(train, validation) for train, validation in splitter.split(np.zeros(len(target))))


def _too_few(found: str, spec: PipelineSpec) -> DataContractError:
    return DataContractError(
        "the training rows cannot be cut into folds",
        where=f"{spec.name}, tuning.folds",
        found=found,
        expected="at least 2 rows, and at least 2 groups for split by group",
        remedy="add data, or disable tuning",
    )


_KEPT_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, eq=False)
class FoldMatrices:
    """One fold as input of models.

    Attributes:
        train: shape (rows, outputs), float64, dense or sparse.
        train_target: shape (rows,).
        validation: shape (rows, outputs).
        validation_target: shape (rows,).
    """

    train: Any
    train_target: np.ndarray
    validation: Any
    validation_target: np.ndarray


class FoldCache:
    """Preprocessed folds, cached up to a gigabyte and recomputed beyond it."""

    def __init__(self, rows: LabelledRows, features: TableSchema, folds: Sequence[Fold], spec: PipelineSpec) -> None:
        self._rows = rows
        self._features = features
        self._folds = folds
        self._spec = spec
        self._kept: dict[tuple[int, str, bool], FoldMatrices] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._folds)

    def fold(self, number: int, family: Family) -> FoldMatrices:
        """Return a fold in the encoding of a family."""
        key = (number, family.encoding, family.card.dense)
        if key in self._kept:
            return self._kept[key]
        matrices = self._computed(self._folds[number], family)
        size = _size(matrices.train) + _size(matrices.validation)
        if self._bytes + size <= _KEPT_BYTES:
            self._kept[key] = matrices
            self._bytes += size
        return matrices

    def _computed(self, fold: Fold, family: Family) -> FoldMatrices:
        features, target = self._rows.features, self._rows.target.to_numpy()
        preprocessor = preprocessor_for(family, self._features, self._spec)
        train = preprocessor.fit_transform(features.iloc[fold.train], target[fold.train])
        validation = preprocessor.transform(features.iloc[fold.validation])
        return FoldMatrices(train, target[fold.train], validation, target[fold.validation])


def _size(matrix: Any) -> int:
    # a sparse matrix has its values, their columns and its row pointers
    return int(matrix.nbytes) if isinstance(matrix, np.ndarray) else int(matrix.data.nbytes + matrix.indices.nbytes)
