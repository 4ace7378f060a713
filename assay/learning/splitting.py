"""The split of a window into training rows and holdout rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.dataset import ValidatedDataset
from assay.data.feature_selection import select_features
from assay.data.fingerprint import fingerprint
from assay.data.frames import feature_frame, target_series
from assay.data.schema import TableSchema
from assay.errors import DataContractError, EmptyDataError, SchemaDriftError, SingleClassError
from assay.specs.pipeline import PipelineSpec, Task

if TYPE_CHECKING:
    import pandas as pd

_BINARY = 2


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRows:
    """Rows with their target.

    Attributes:
        features: the feature frame, as `assay.data.frames.feature_frame` makes it.
        target: the target of each row, by the same index; never missing.
    """

    features: "pd.DataFrame"
    target: "pd.Series"


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The rows of a window, split.

    Attributes:
        train: rows to search and fit on.
        holdout: rows to evaluate on.
        features: the columns of both frames, in order.
        unused_columns: every other column, and why it is no feature.
        train_groups: group (split by group) or partition key (split by time) of each training row, else None.
        data_digests: fingerprint digest by partition key.
        holdout_digest: identity of the holdout rows, all columns included.
        classes: distinct labels in ascending order, empty for regression; in binary tasks the last is the positive one.
    """

    train: LabelledRows
    holdout: LabelledRows
    features: TableSchema
    unused_columns: dict[str, str]
    train_groups: np.ndarray | None
    data_digests: dict[str, str]
    holdout_digest: str
    classes: tuple[str | bool | int | float, ...]


def split_window(window: Mapping[str, ValidatedDataset], spec: PipelineSpec) -> Split:
    """Split the validated rows of a window; the same window and spec always give the same split.

    Args:
        window: validated rows by partition key; the only key is "" when the data has no partitions.
        spec: the pipeline. For split by `time` the newest partition is the holdout and all earlier ones train.

    Raises:
        DataContractError: too few partitions, rows, groups or columns, or a missing target.
        SchemaDriftError: a partition has other columns than the first.
        SingleClassError: a class is absent or too small to be on both sides.
    """
    _require_partitions(window, spec)
    keys = sorted(window)
    schema = window[keys[0]].schema
    features, unused = select_features(schema, spec)
    table = _concatenated({key: window[key].table for key in keys}, schema.names)
    partition_of_row = np.repeat(np.array(keys, dtype=object), [window[key].table.num_rows for key in keys])
    groups = _groups(table, partition_of_row, spec)
    train_index, holdout_index = _indices(table, groups, spec)
    holdout_table = table.take(holdout_index)
    train_table = table.select([*features.names, spec.dataset.target]).take(train_index)
    train = labelled_rows(train_table, features, spec)
    holdout = labelled_rows(holdout_table, features, spec)
    return Split(
        train=train,
        holdout=holdout,
        features=features,
        unused_columns=unused,
        train_groups=None if groups is None else groups[train_index],
        data_digests={key: window[key].fingerprint.digest for key in keys},
        holdout_digest=fingerprint(holdout_table).digest,
        classes=_classes(train.target, holdout.target, spec),
    )


def _require_partitions(window: Mapping[str, ValidatedDataset], spec: PipelineSpec) -> None:
    needed = (spec.split.train_partitions or 1) + 1 if spec.split.by == "time" else 1
    if len(window) < needed:
        missing = needed - len(window)
        raise DataContractError(
            f"{missing} partition{'s are' if missing > 1 else ' is'} missing",
            where=f"{spec.name}, split by {spec.split.by}",
            found=f"{len(window)} partitions: {', '.join(sorted(window)) or 'none'}",
            expected=f"{needed} partitions" + (", the newest as holdout" if spec.split.by == "time" else ""),
            remedy="materialise validated_dataset of the earlier partitions first, or train on a later partition",
        )


def _concatenated(tables: Mapping[str, pa.Table], names: tuple[str, ...]) -> pa.Table:
    for key, table in tables.items():
        strays = sorted(set(names) ^ set(table.column_names))
        if strays:
            raise SchemaDriftError(
                f"partitions do not have the same columns: {', '.join(repr(name) for name in strays)}",
                where=f"partition {key}" if key else "",
                found=", ".join(table.column_names),
                expected=", ".join(names),
                remedy="raise dataset.schema_version and materialise the window again, or correct the source",
            )
    projected = [table.select(list(names)) for table in tables.values()]
    for name in names:
        kinds = [pa.schema([table.schema.field(name)]) for table in projected]
        try:
            pa.unify_schemas(kinds, promote_options="permissive")
        except pa.ArrowTypeError as error:
            raise SchemaDriftError(
                f"column '{name}' has incompatible types in different partitions",
                where=name,
                found=", ".join(f"{key}: {table.schema.field(name).type}" for key, table in tables.items()),
                remedy="declare the column's type once by dataset.columns, and materialise the window again",
            ) from error
    return pa.concat_tables(projected, promote_options="permissive")


def _groups(table: pa.Table, partition_of_row: np.ndarray, spec: PipelineSpec) -> np.ndarray | None:
    if spec.split.by == "time":
        return partition_of_row
    if spec.split.by != "group":
        return None
    name = str(spec.split.group)
    if name not in table.column_names:
        raise DataContractError(f"the group column '{name}' is not in the table", where="split.group")
    # rows without a group form one group, since they may be related
    return np.asarray(pc.fill_null(table.column(name).cast(pa.string()), "").to_pandas(), dtype=object)


def _indices(table: pa.Table, groups: np.ndarray | None, spec: PipelineSpec) -> tuple[np.ndarray, np.ndarray]:
    if groups is not None and spec.split.by == "time":
        newest = groups == max(groups, default="")
        train, holdout = np.flatnonzero(~newest), np.flatnonzero(newest)
    else:
        train, holdout = _drawn(table, groups, spec)
    if not (len(train) and len(holdout)):
        raise EmptyDataError(
            "a side of the split is empty",
            where=f"{spec.name}, split by {spec.split.by}",
            found=f"{len(train)} training rows, {len(holdout)} holdout rows",
            remedy="add rows, or change split.test_size",
        )
    return np.sort(train), np.sort(holdout)


def _drawn(table: pa.Table, groups: np.ndarray | None, spec: PipelineSpec) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit

    strata = None
    if spec.split.by == "stratified":
        strata = target_series(table, spec.dataset.target, spec.task)
        _require_members(strata, spec)
    kinds = {"random": ShuffleSplit, "stratified": StratifiedShuffleSplit, "group": GroupShuffleSplit}
    splitter = kinds[spec.split.by](n_splits=1, test_size=spec.split.test_size, random_state=spec.split.seed)
    try:
        train, holdout = next(splitter.split(np.zeros((table.num_rows, 1)), strata, groups))
    except ValueError as error:
        raise DataContractError(
            "the rows cannot be split",
            where=f"{spec.name}, split by {spec.split.by}",
            found=f"{table.num_rows} rows: {error}",
            remedy="add rows, or change split.by or split.test_size",
        ) from error
    return train, holdout


def _require_members(labels: "pd.Series", spec: PipelineSpec) -> None:
    counts = labels.value_counts()
    if len(counts) and counts.min() < _BINARY:
        raise SingleClassError(
            "a class has a single row, so it cannot be on both sides of a stratified split",
            where=spec.dataset.target,
            found=f"class {counts.idxmin()!r}: 1 row",
            expected="at least 2 rows in each class",
            remedy="drop or merge the class, or use split.by: random",
        )


def labelled_rows(table: pa.Table, features: TableSchema, spec: PipelineSpec) -> LabelledRows:
    """Return validated rows as input of training and evaluation, the features in the model's order."""
    return LabelledRows(feature_frame(table, features), target_series(table, spec.dataset.target, spec.task))


def _classes(train: "pd.Series", holdout: "pd.Series", spec: PipelineSpec) -> tuple[str | bool | int | float, ...]:
    if not spec.task.is_classification:
        return ()
    learned = set(train.unique().tolist())
    if len(learned) < _BINARY:
        raise SingleClassError(
            "the training rows have a single class",
            where=spec.dataset.target,
            found=", ".join(repr(label) for label in learned),
            expected="at least two classes",
            remedy="add rows of another class, or split by stratified",
        )
    classes = tuple(sorted(learned | set(holdout.unique().tolist())))
    if spec.task is Task.BINARY and len(classes) > _BINARY:
        raise DataContractError(
            f"the target of a binary classification has {len(classes)} classes",
            where=spec.dataset.target,
            found=", ".join(repr(label) for label in classes[:10]),
            remedy="use task: multiclass_classification, or derive a two-valued target with dataset.derive",
        )
    return classes
