"""How much each row counts in a fit: by a column of weights, and by its class."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.schema import is_number, require_column
from assay.errors import DataContractError, LearningError
from assay.specs.pipeline import PipelineSpec
from assay.specs.training_options import label_text


def column_weights(table: pa.Table, spec: PipelineSpec) -> np.ndarray | None:
    """Return the weights that `training.sample_weight` names, shape (n,), float64; None where it names none.

    Raises:
        MissingColumnError: the table lacks the column.
        DataContractError: a weight is missing, no number, not finite or negative, or all are 0; names the first row.
    """
    name = spec.training.sample_weight
    if name is None:
        return None
    require_column(table, name, where="training.sample_weight")
    values = table.column(name)
    if not (is_number(values.type) or pa.types.is_boolean(values.type)):
        raise _refused(name, f"a column of {values.type}")
    weights = np.asarray(pc.fill_null(values.cast(pa.float64()), np.nan))
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        first = int(wrong.argmax())
        raise _refused(name, f"{values[first].as_py()} in row {first + 1:,}; {int(wrong.sum()):,} such rows")
    if not weights.any():
        raise _refused(name, f"0 in all {len(weights):,} rows")
    return weights


def fit_weights(target: Any, weights: np.ndarray | None, spec: PipelineSpec) -> np.ndarray | None:
    """Return how much rows count in a fit, shape (n,): their weights times those of their classes; None if all alike.

    Args:
        target: of the rows that are fitted on, shape (n,).
        weights: of these rows by a column, see `column_weights`.
        spec: the pipeline.

    Raises:
        LearningError: `training.class_weight` names a label that these rows do not have.
    """
    asked = spec.training.class_weight
    if asked is None:
        return weights
    labels, place = np.unique(np.asarray(target), return_inverse=True)
    own = np.ones(len(place)) if weights is None else weights
    if asked == "balanced":
        sums = np.bincount(place, weights=own)
        factors = own.sum() / (len(labels) * np.where(sums > 0, sums, 1.0))
    else:
        texts = [label_text(label) for label in labels.tolist()]
        _require_labels(asked, texts, spec)
        factors = np.array([asked.get(text, 1.0) for text in texts])
    return np.asarray(own * factors[place], dtype=np.float64)


def fit_options(weights: np.ndarray | None) -> dict[str, Any]:
    """Return what a fit gets beside the rows and their target; nothing where all rows count alike."""
    return {} if weights is None else {"sample_weight": weights}


def _require_labels(asked: dict[str, float], known: list[str], spec: PipelineSpec) -> None:
    unknown = sorted(asked.keys() - set(known))
    if unknown:
        raise LearningError(
            f"the training rows have no class {', '.join(map(repr, unknown))}",
            where=f"pipeline {spec.name}, training.class_weight",
            found=", ".join(unknown),
            expected=f"labels among {', '.join(known[:20])}",
            remedy="correct the label, or write `balanced`",
        )


def _refused(name: str, found: str) -> DataContractError:
    return DataContractError(
        f"the weights of column '{name}' cannot be used",
        where="training.sample_weight",
        found=found,
        expected="finite numbers of 0 or more, not all 0",
        remedy="correct the values or filter the rows (`features.steps`), and add a rule to validation, e.g. "
        f"`ranges: {{{name}: {{min: 0}}}}` with `not_null: [{name}]`",
    )
