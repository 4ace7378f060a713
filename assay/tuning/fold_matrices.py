"""The folds, preprocessed: fitted on each fold's training rows, kept over trials.

Preprocessing depends on the fold and on the family's encoding only, not on the hyperparameters searched, so it is
fitted once for each pair and its matrices are used by all trials. Nothing is ever fitted on validation rows.
Does not belong here: models.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.estimators.assembly import preprocessor_for
from assay.estimators.family import Family
from assay.specs.pipeline import PipelineSpec
from assay.splitting import LabelledRows
from assay.tables.schema import TableSchema
from assay.tuning.folds import Fold

_KEPT_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, eq=False)
class FoldMatrices:
    """One fold as models take it.

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
    """Preprocessed folds, kept while they fit into a gigabyte and computed again beyond it."""

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
