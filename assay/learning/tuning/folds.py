"""The preprocessed matrices of the folds inside the training rows.

Preprocessing depends on the fold, the family's encoding and the searched parameters of its steps, not on the model's,
so it is fitted once for each of these and reused by all trials. Nothing is fitted on validation rows.
"""

import fcntl
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from assay.data.schema import TableSchema
from assay.learning.estimators.assembly import fitted_matrix, preprocessor_for
from assay.learning.estimators.family import Family
from assay.learning.latency import latency_ms
from assay.learning.preprocessing.native_frames import matrix_of, native_frame
from assay.learning.preprocessing.output_sources import output_sources
from assay.learning.splitting import LabelledRows
from assay.learning.tuning.fold_schemes import Fold, repeats
from assay.learning.tuning.time_bound import final_fits
from assay.learning.weights import fit_weights
from assay.specs.base import digest_of
from assay.specs.pipeline import PipelineSpec
from assay.specs.preprocessing import is_step_key

if TYPE_CHECKING:
    import pandas as pd

_KEPT_BYTES = 1 << 30


class FoldMatrices(NamedTuple):
    """One fold as input of models: float64 matrices of shape (rows, outputs), dense or sparse, and their targets."""

    train: Any
    train_target: np.ndarray
    validation: Any
    validation_target: np.ndarray
    validation_asked: "pd.DataFrame | None" = None
    """Columns of the validation rows that metrics ask for."""

    weights: tuple[np.ndarray, np.ndarray] | None = None
    """How much the rows of both parts count in a fit; None where all count alike."""
    sources: Sequence[str] = ()
    """Column that each output is made of, where `training.constraints` names some."""
    seconds: float = 0.0
    """What the preparation took."""
    preparation_ms: float = 0.0
    """What it takes for 1,000 rows to predict; measured where the search has a bound of latency."""

    @property
    def train_part(self) -> tuple[Any, np.ndarray]:
        """Rows to fit on, and their target."""
        return self.train, self.train_target

    @property
    def validation_part(self) -> tuple[Any, np.ndarray]:
        """Rows to measure on, and their target."""
        return self.validation, self.validation_target


class FoldCache:
    """Preprocessed folds, cached up to a gigabyte and recomputed beyond it.

    Args:
        rows: the training rows.
        features: columns and roles of their frame.
        folds: how the rows are cut.
        spec: the pipeline.
        shared: folder in which processes that measure side by side share dense matrices: the first to need one writes
            it, and all map it into memory.
    """

    def __init__(
        self,
        rows: LabelledRows,
        features: TableSchema,
        folds: Sequence[Fold],
        spec: PipelineSpec,
        shared: Path | None = None,
    ) -> None:
        self._rows = rows
        self.features = features
        self._folds = folds
        self._spec = spec
        self._shared = shared
        self._kept: dict[tuple[int, str, bool, str], FoldMatrices] = {}
        self._bytes = 0
        self._weights = fit_weights(rows.target, rows.weights, spec)

    def __len__(self) -> int:
        return len(self._folds)

    @property
    def refit_factor(self) -> float:
        """How many times the rows of the largest fold's fit, which takes longest, the final fits have together."""
        crossed = len(self._folds) / repeats(self._spec) if self._spec.training.needs_out_of_fold else 0
        return crossed + final_fits(self._spec) * len(self._rows.target) / max(len(fold.train) for fold in self._folds)

    def fold(self, number: int, family: Family, parameters: Mapping[str, Any]) -> FoldMatrices:
        """Return a fold in the encoding of a family, with what `parameters` hold of preprocessing steps."""
        steps = {name: value for name, value in parameters.items() if is_step_key(name)}
        encoding = family.card.category_encoding(self._spec.preparation.with_values(steps))
        key = (number, family.card.encoding, family.card.dense, digest_of(steps, encoding))
        if key in self._kept:
            return self._kept[key]
        if self._shared is None:
            matrices = self._computed(self._folds[number], family, steps)
        else:
            matrices = self._shared_fold(self._shared / digest_of(*key), self._folds[number], family, steps)
        size = _size(matrices.train) + _size(matrices.validation)
        if self._bytes + size <= _KEPT_BYTES:
            self._kept[key] = matrices
            self._bytes += size
        return matrices

    def _computed(self, fold: Fold, family: Family, steps: Mapping[str, Any]) -> FoldMatrices:
        began = time.perf_counter()
        prepared = self._prepared(fold, family, steps)
        return self._with_targets(fold, prepared, time.perf_counter() - began)

    def _prepared(self, fold: Fold, family: Family, steps: Mapping[str, Any]) -> "_Prepared":
        features, target = self._rows.features, self._rows.target.to_numpy()[fold.train]
        preprocessor = preprocessor_for(family, steps, self.features, self._spec)
        train, kept = fitted_matrix(preprocessor, features.iloc[fold.train], target)
        rows = features.iloc[fold.validation]
        latency = 0.0 if self._spec.tuning.max_latency_ms is None else latency_ms(preprocessor.transform, rows)
        by_column = self._spec.training.constraints is not None and family.card.encoding != "frame"
        sources = output_sources(preprocessor) if by_column else []
        return _Prepared(train, kept, preprocessor.transform(rows), latency, sources)

    def _with_targets(self, fold: Fold, prepared: "_Prepared", seconds: float) -> FoldMatrices:
        target, asked = self._rows.target.to_numpy(), self._rows.metric_columns
        beside = None if asked is None else asked.iloc[fold.validation]
        weights = self._weights
        return FoldMatrices(
            train=prepared.train,
            train_target=target[fold.train][prepared.kept],
            validation=prepared.validation,
            validation_target=target[fold.validation],
            validation_asked=beside,
            weights=None if weights is None else (weights[fold.train][prepared.kept], weights[fold.validation]),
            sources=prepared.sources,
            seconds=seconds,
            preparation_ms=prepared.latency,
        )

    def _shared_fold(self, folder: Path, fold: Fold, family: Family, steps: Mapping[str, Any]) -> FoldMatrices:
        """Map a fold's matrices, which the first process to need them computes and writes; others wait for it."""
        with folder.with_suffix(".lock").open("w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                began = time.perf_counter()
                prepared = self._prepared(fold, family, steps)
                seconds = time.perf_counter() - began
                if family.card.encoding == "frame" or not (
                    _is_dense(prepared.train) and _is_dense(prepared.validation)
                ):
                    # sparse matrices, and frames of ensembles, are not mapped: each process has its own
                    return self._with_targets(fold, prepared, seconds)
                (train, natives), (validation, _) = matrix_of(prepared.train), matrix_of(prepared.validation)
                _write(
                    folder,
                    train=train,
                    kept=prepared.kept,
                    validation=validation,
                    natives=np.array([*natives.items()]),
                    times=np.array([seconds, prepared.latency]),
                    sources=np.array(prepared.sources, dtype=str),
                )
        parts = {path.stem: np.load(path, mmap_mode="r") for path in folder.glob("*.npy")}
        seconds, latency = map(float, parts["times"])
        native_columns, sources = dict(parts["natives"].tolist()), parts["sources"].tolist()
        train, validation = (native_frame(parts[name], native_columns) for name in ("train", "validation"))
        return self._with_targets(
            fold, _Prepared(train, np.asarray(parts["kept"]), validation, latency, sources), seconds
        )


class _Prepared(NamedTuple):
    """A fold as its preprocessing gives it."""

    train: Any
    kept: np.ndarray
    validation: Any
    latency: float
    sources: Sequence[str]


def _write(folder: Path, **arrays: Any) -> None:
    """Write arrays to a folder that is there whole or not at all."""
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)  # of a killed process
    part.mkdir()
    for name, array in arrays.items():
        np.save(part / f"{name}.npy", array)
    part.rename(folder)


def _is_dense(matrix: Any) -> bool:
    return isinstance(matrix, np.ndarray) or hasattr(matrix, "dtypes")


def _size(matrix: Any) -> int:
    if hasattr(matrix, "memory_usage"):  # an ensemble takes the frame
        return int(matrix.memory_usage(deep=True).sum())
    # a sparse matrix has its values, their columns and its row pointers
    return int(matrix.nbytes) if isinstance(matrix, np.ndarray) else int(matrix.data.nbytes + matrix.indices.nbytes)
