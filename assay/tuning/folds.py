"""Where a trial is fitted and where it is measured: folds inside the training rows.

Does not belong here: the holdout (`assay.splitting`).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.errors import DataContractError, SingleClassError
from assay.specs.pipeline import PipelineSpec

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


def make_folds(target: pd.Series, spec: PipelineSpec, groups: np.ndarray | None) -> tuple[Fold, ...]:
    """Cut the training rows into folds.

    Classification gets stratified folds; no more than the smallest class has rows. Split by group keeps groups whole.
    Split by time has one fold: it validates on the newest training partition, or, if there is only one, on its last
    rows, as many as `split.test_size` says.

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


def _stratified(target: pd.Series, spec: PipelineSpec) -> tuple[Fold, ...]:
    from sklearn.model_selection import StratifiedKFold

    counts = target.value_counts()
    if counts.min() < _LEAST:
        raise SingleClassError(
            "a class has a single training row, so it cannot be fitted on and measured",
            where=f"{spec.name}, {spec.dataset.target}",
            found=f"class {counts.idxmin()!r}: 1 row",
            expected="at least 2 training rows in each class",
            remedy="merge or drop the class, bring more rows, or switch tuning off",
        )
    count = min(spec.tuning.folds, int(counts.min()))
    splitter = StratifiedKFold(n_splits=count, shuffle=True, random_state=spec.training.seed)
    return tuple(Fold(train, validation) for train, validation in splitter.split(np.zeros(len(target)), target))


def _plain(target: pd.Series, spec: PipelineSpec) -> tuple[Fold, ...]:
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
        remedy="bring more data, or switch tuning off",
    )
