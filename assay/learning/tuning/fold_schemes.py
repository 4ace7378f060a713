"""How a search cuts the training rows: into rows to fit on and rows to measure on."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from assay.errors import DataContractError, SingleClassError
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd

_LEAST = 2
HOLDOUT_SHARE = 0.25
"""Of the training rows, where a pipeline asks for a holdout without `size`."""


class Fold(NamedTuple):
    """Positions of the rows to fit on and of the rows to measure on."""

    train: np.ndarray
    validation: np.ndarray


def make_folds(target: "pd.Series", spec: PipelineSpec, groups: np.ndarray | None) -> tuple[Fold, ...]:
    """Cut the training rows into folds, as `tuning.split` says.

    Unless it is set, classification gets stratified folds and regression plain ones, and groups stay whole. Split by
    time has one fold then: it validates on the newest training partition, or, if there is only one, on its last rows,
    a share of `split.test_size`. Stratified folds are at most as many as the smallest class has rows.

    Args:
        target: the target of each training row, shape (n,).
        spec: the pipeline; gives kind, number and seed.
        groups: of each row, shape (n,), as `Split.train_groups` has them; None where rows stand alone.

    Returns:
        At least one fold. Repeats follow one another, each with the same number of folds.

    Raises:
        SingleClassError: a class has a single row.
        DataContractError: too few rows, groups or partitions.
    """
    asked = spec.tuning.split
    if groups is not None and spec.split.by == "time":
        if asked is not None and asked.by == "time_series":
            return _one_partition_each(groups, spec, asked.gap or 0)
        return (_newest(groups, spec),)
    if asked is not None and asked.by == "holdout":
        return (_held_out(target, groups, spec, asked.size or HOLDOUT_SHARE),)
    splitter, members, unit = _splitter(target, groups, spec)
    if members < _LEAST:
        raise _too_few(f"{members} {unit}", spec)
    number, seed = min(spec.tuning.folds, members), spec.training.seed
    repeated = (splitter(n_splits=number, shuffle=True, random_state=seed + each) for each in range(repeats(spec)))
    return tuple(fold for each in repeated for fold in _parts(each, target, groups))


def repeats(spec: PipelineSpec) -> int:
    """Return how often a search cuts all its rows into folds."""
    return (spec.tuning.split.repeats if spec.tuning.split is not None else None) or 1


def _parts(splitter: Any, target: "pd.Series", groups: np.ndarray | None) -> Iterator[Fold]:
    yield from (Fold(*parts) for parts in splitter.split(np.zeros(len(target)), target, groups))


def _splitter(target: "pd.Series", groups: np.ndarray | None, spec: PipelineSpec) -> tuple[Any, int, str]:
    """Return scikit-learn's class, how many units there are to divide, and what these are."""
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    asked = spec.tuning.split.by if spec.tuning.split is not None else None
    stratified = asked == "stratified" or (asked is None and spec.task.is_classification)
    if groups is not None:
        kind = StratifiedGroupKFold if asked == "stratified" else GroupKFold
        return kind, len(np.unique(groups)), "group"
    if stratified:
        return StratifiedKFold, _smallest_class(target, spec), "row"
    return KFold, len(target), "row"


def _held_out(target: "pd.Series", groups: np.ndarray | None, spec: PipelineSpec, share: float) -> Fold:
    """Return one fold that validates on a share of the rows: of each class as many, or of whole groups."""
    from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit

    kind: Any = ShuffleSplit if groups is None else GroupShuffleSplit
    if groups is None and spec.task.is_classification:
        _smallest_class(target, spec)
        kind = StratifiedShuffleSplit
    try:
        return next(_parts(kind(n_splits=1, test_size=share, random_state=spec.training.seed), target, groups))
    except ValueError as error:  # a side would have no row, or not one of each class
        raise _too_few(f"{len(target)} rows: {error}", spec) from error


def _one_partition_each(partitions: np.ndarray, spec: PipelineSpec, gap: int) -> tuple[Fold, ...]:
    """Return folds of which each validates on one partition, and fits on those before it and a gap."""
    keys = np.unique(partitions)
    first = max(1 + gap, len(keys) - spec.tuning.folds)
    folds = tuple(
        Fold(np.flatnonzero(partitions <= keys[each - gap - 1]), np.flatnonzero(partitions == keys[each]))
        for each in range(first, len(keys))
    )
    if not folds:
        raise _too_few(f"{len(keys)} training partitions with rows, gap {gap}", spec)
    return folds


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
        where=f"{spec.name}, tuning.{'folds' if spec.tuning.split is None else 'split'}",
        found=found,
        expected="rows on both sides: at least 2 rows, 2 groups, or 2 partitions and the gap",
        remedy="add data, or disable tuning",
    )
