"""The split of a window into training rows and holdout rows.

Split by time, the newest partition is the holdout. Otherwise a row is held out if the hash of its identity, salted by
the pipeline's name, is below `split.test_size`. So a row keeps its side whatever else is in the data, in whatever
order and under whatever seed; a larger test size contains the holdout of a smaller one; rows of one identity, exact
repeats among them, share a side. A side that must not depend on other rows is a function of the row alone, hence no
stable split meets a share exactly: the holdout of n rows, and of each class of n rows in a stratified split, differs
from its share t by the noise of n draws, a standard deviation of sqrt(t (1 - t) / n).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.counting import counted
from assay.data.dataset import ValidatedDataset
from assay.data.feature_selection import select_features
from assay.data.fingerprint import fingerprint
from assay.data.frames import feature_frame, target_series
from assay.data.row_identity import Hashes, below_share, identity_columns, row_hashes
from assay.data.schema import TableSchema
from assay.errors import DataContractError, EmptyDataError, SchemaDriftError, SingleClassError
from assay.learning.target_values import require_transformable
from assay.learning.weights import column_weights
from assay.results.learned_rows import LearnedRows
from assay.results.trained_model import ModelManifest
from assay.specs.pipeline import PipelineSpec, Task

if TYPE_CHECKING:
    import pandas as pd

_BINARY = 2
_STEPS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRows:
    """Rows with their target.

    Attributes:
        features: the feature frame, as `assay.data.frames.feature_frame` makes it.
        target: the target of each row, by the same index; never missing.
        metric_columns: columns that metrics of the user's own ask for, see `metric_columns`.
        weights: how much each row counts in a fit by `training.sample_weight`, shape (n,); None where all are alike.
    """

    features: "pd.DataFrame"
    target: "pd.Series"
    metric_columns: "pd.DataFrame | None" = None
    weights: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> "LabelledRows":
        """Return some of the rows, given by position or mask."""
        asked = None if self.metric_columns is None else self.metric_columns.iloc[rows]
        weights = None if self.weights is None else self.weights[rows]
        return LabelledRows(self.features.iloc[rows], self.target.iloc[rows], asked, weights)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The rows of a window, split.

    Attributes:
        train: rows to search and fit on.
        holdout: rows to evaluate on.
        features: the columns of both frames, in order.
        unused_columns: every other column, and why it is no feature.
        train_groups: of each training row the group (split by group), the partition key (split by time), or a number
            of its `split.key` where rows share one; else None.
        data_digests: fingerprint digest by partition key.
        holdout_table: the holdout rows with all columns, in the order of `holdout`.
        holdout_partitions: partition key of each holdout row; "" without partitions.
        holdout_digest: identity of the holdout rows, all columns included.
        learned: the rule that says which rows a model of this split may have learned from.
        classes: distinct labels in ascending order, empty for regression; in binary tasks the last is the positive one.
    """

    train: LabelledRows
    holdout: LabelledRows
    features: TableSchema
    unused_columns: dict[str, str]
    train_groups: np.ndarray | None
    data_digests: dict[str, str]
    holdout_table: pa.Table
    holdout_partitions: np.ndarray
    holdout_digest: str
    learned: LearnedRows
    classes: tuple[str | bool | int | float, ...]

    @property
    def all_rows(self) -> LabelledRows:
        """Training rows and holdout rows, one after the other."""
        import pandas as pd

        sides = (self.train, self.holdout)
        features, target = (
            pd.concat([getattr(side, part) for side in sides], ignore_index=True) for part in ("features", "target")
        )
        weights = [side.weights for side in sides if side.weights is not None]
        return LabelledRows(features, target, weights=np.concatenate(weights) if weights else None)

    @property
    def all_learned(self) -> LearnedRows:
        """The rule that says which rows a model of all rows may have learned from."""
        keys = tuple(sorted(self.data_digests))
        return LearnedRows(partitions=None if self.learned.partitions is None else keys)

    def learned_by(self, model: ModelManifest, spec: PipelineSpec) -> np.ndarray | None:
        """Return which holdout rows an evaluated model may have learned from, shape (n,); None where not known."""
        is_time = spec.dataset.partitions.is_time
        return model.may_have_learned(self.holdout_table, self.holdout_partitions, time_partitions=is_time)


def split_window(
    window: Mapping[str, ValidatedDataset], spec: PipelineSpec, continued: ModelManifest | None = None
) -> Split:
    """Split the validated rows of a window; the same window and spec always give the same split.

    Args:
        window: validated rows by partition key; the only key is "" when the data has no partitions.
        spec: the pipeline. For split by `time` the newest partition is the holdout and all earlier ones train.
        continued: a model of another pipeline that the training continues; its rows are identified as it did, so that
            what it held out stays held out.

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
    learned = _learned(schema, keys, spec, continued)
    hashes = row_hashes(table, learned.columns, learned.salt)
    groups = _groups(table, partition_of_row, hashes, spec)
    held_out = _held_out(table, partition_of_row, hashes, spec)
    require_transformable(table, spec)
    weights = column_weights(table, spec)
    holdout_table = table.filter(pa.array(held_out))
    train_columns = dict.fromkeys([*features.names, spec.dataset.target, *spec.evaluation.metric_columns])
    train_table = table.select(list(train_columns)).filter(pa.array(~held_out))
    train = _weighted(labelled_rows(train_table, features, spec), weights, ~held_out)
    holdout = _weighted(labelled_rows(holdout_table, features, spec), weights, held_out)
    return Split(
        train=train,
        holdout=holdout,
        features=features,
        unused_columns=unused,
        train_groups=None if groups is None else groups[~held_out],
        data_digests={key: window[key].fingerprint.digest for key in keys},
        holdout_table=holdout_table,
        holdout_partitions=partition_of_row[held_out],
        holdout_digest=fingerprint(holdout_table).digest,
        learned=learned,
        classes=_classes(train.target, holdout.target, spec),
    )


def _weighted(rows: LabelledRows, weights: np.ndarray | None, inside: np.ndarray) -> LabelledRows:
    return rows if weights is None else replace(rows, weights=weights[inside])


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


def _groups(table: pa.Table, partition_of_row: np.ndarray, hashes: Hashes, spec: PipelineSpec) -> np.ndarray | None:
    if spec.split.by == "time":
        return partition_of_row
    if spec.split.by != "group":
        is_repeated = spec.split.key and len(np.unique(hashes)) < len(hashes)
        return hashes if is_repeated else None
    name = str(spec.split.group)
    if name not in table.column_names:
        raise DataContractError(f"the group column '{name}' is not in the table", where="split.group")
    return group_of_rows(table, name)


def group_of_rows(table: pa.Table, name: str) -> np.ndarray:
    """Return the group of each row as text, shape (rows,); rows without one are one group, as they may be related."""
    return np.asarray(pc.fill_null(table.column(name).cast(pa.string()), "").to_pandas(), dtype=object)


def _learned(schema: TableSchema, keys: list[str], spec: PipelineSpec, continued: ModelManifest | None) -> LearnedRows:
    if spec.split.by == "time":
        return LearnedRows(partitions=tuple(keys[:-1]))
    earlier = (continued.learned if continued else None) or ()
    base = next((rule for rule in earlier if rule.holdout_share and set(rule.columns) <= set(schema.names)), None)
    columns = base.columns if base else identity_columns(schema, spec)
    # rows of other times are other rows if the time is part of their identity
    apart = spec.dataset.partitions.is_time and spec.dataset.partitions.column in columns
    return LearnedRows(
        partitions=tuple(keys) if apart else None,
        columns=columns,
        salt=base.salt if base else spec.name,
        holdout_share=spec.split.test_size,
    )


def _held_out(table: pa.Table, partition_of_row: np.ndarray, hashes: Hashes, spec: PipelineSpec) -> np.ndarray:
    if spec.split.by == "time":
        found: np.ndarray = partition_of_row == max(partition_of_row, default="")
        _require_rows(found, "materialise the empty partition again", spec)
        return found
    found = below_share(hashes, spec.split.test_size)
    _require_rows(found, _share_with_both_sides(hashes), spec)
    if spec.split.by == "stratified":
        _require_classes(found, hashes, table, spec)
    return found


def _require_rows(held_out: np.ndarray, remedy: str, spec: PipelineSpec) -> None:
    if held_out.any() and not held_out.all():
        return
    raise EmptyDataError(
        "a side of the split is empty",
        where=f"{spec.name}, split by {spec.split.by}",
        found=f"{int((~held_out).sum())} training rows, {int(held_out.sum())} holdout rows",
        remedy=f"add rows, or {remedy}",
    )


def _share_with_both_sides(hashes: Hashes) -> str:
    """Return which test sizes leave rows on both sides."""
    if len(hashes) == 0 or hashes.min() == hashes.max():
        return "name columns in split.key that tell rows apart: all have one identity"
    low, high = float(hashes.min()) / 2.0**64, float(hashes.max()) / 2.0**64
    return f"set split.test_size between {math.ceil(low * _STEPS) / _STEPS} and {math.floor(high * _STEPS) / _STEPS}"


def _require_classes(held_out: np.ndarray, hashes: Hashes, table: pa.Table, spec: PipelineSpec) -> None:
    """Refuse a stratified split that cannot teach a class, or cannot judge one of two.

    A small class of several may be missing in the holdout: its metrics have no value there.
    """
    labels = target_series(table, spec.dataset.target, spec.task).to_numpy()
    for label in set(labels.tolist()):
        of_class = labels == label
        rows, out = int(of_class.sum()), int(held_out[of_class].sum())
        if rows < _BINARY:
            what, remedy = "has a single row, so it cannot be on both sides of a stratified split", "drop or merge it"
        elif out == rows or (out == 0 and spec.task is Task.BINARY):
            what, remedy = "is on one side of the split alone", _share_with_both_sides(hashes[of_class])
        else:
            continue
        raise SingleClassError(
            f"a class {what}",
            where=spec.dataset.target,
            found=f"class {label!r}: {counted(rows, 'row')}, {out} of them in the holdout",
            expected="rows of the class on both sides",
            remedy=f"{remedy}, or use split.by: random",
        )


def labelled_rows(table: pa.Table, features: TableSchema, spec: PipelineSpec) -> LabelledRows:
    """Return validated rows as input of training and evaluation, the features in the model's order."""
    target = target_series(table, spec.dataset.target, spec.task)
    return LabelledRows(feature_frame(table, features), target, metric_columns(table, spec))


def metric_columns(table: pa.Table, spec: PipelineSpec) -> "pd.DataFrame | None":
    """Return the columns that metrics of the user's own ask for, as far as the rows have them; None where none does."""
    asked = spec.evaluation.metric_columns
    known = [name for name in asked if name in table.column_names]
    return table.select(known).to_pandas() if asked else None


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
