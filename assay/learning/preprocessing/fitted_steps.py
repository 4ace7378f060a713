"""The steps of `features` that are fitted on the training rows, in front of the preprocessing and inside the model.

Clipping and filling change every row that the model is given; outliers are left out of the rows that it learns from,
and of no others. A pipeline of scikit-learn cannot drop rows, hence `PipelineOfKeptRows`.

Stored models name these classes by this module's path: see `assay.moved_modules` before moving one. The module imports
scikit-learn, so import it inside functions only.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from assay.learning.preprocessing.encoders import GroupImputer
from assay.learning.preprocessing.transformers import remember_columns

if TYPE_CHECKING:
    import pandas as pd

_QUARTILES = (0.25, 0.75)


class FittedSteps(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # no published types
    """Clipping, filling and outliers by what the training rows are like, then the preprocessing of the columns.

    Each step is fitted on the rows that the steps before it leave. Bounds are the same for rows in any order.

    Args:
        steps: in order, `{"kind": ..., "title": ..., "columns": {name: {...}}}` with the fields of
            `assay.specs.fitted` for each column.
        columns: unfitted transformer of the frame that results.
        target: name of the target, which outliers may name.

    Attributes:
        columns_: the fitted transformer.
        bounds_: by step and column, the bounds of clipping and outliers; infinite for a column without any number.
        fills_: by step and column, the imputer; none for a column without any value.
        dropped_: of each column of outliers, `step`, `column`, `rows_in` and `dropped`, in order.
    """

    def __init__(self, steps: Sequence[dict[str, Any]] = (), columns: Any = None, target: str = "") -> None:
        self.steps = steps
        self.columns = columns
        self.target = target

    def fit(self, X: "pd.DataFrame", y: Any = None) -> Self:  # noqa: N803 - scikit-learn's name
        """Fit the steps, and the columns on the rows that they leave."""
        self.fit_rows(X, y)
        return self

    def fit_rows(self, X: "pd.DataFrame", y: Any = None) -> tuple[Any, np.ndarray]:  # noqa: N803 - scikit-learn's name
        """Fit as `fit` does.

        Args:
            X: the training rows, as `assay.data.frames.feature_frame` makes them.
            y: their target, shape (rows,).

        Returns:
            The prepared rows that are learned from, shape (kept, outputs), and which rows they are, shape (rows,).
        """
        kept = self.kept_rows(X, y)
        self.columns_ = clone(self.columns)
        matrix = self.columns_.fit_transform(self.prepared(X[kept]), None if y is None else np.asarray(y)[kept])
        return matrix, kept

    def kept_rows(self, X: "pd.DataFrame", y: Any = None) -> np.ndarray:  # noqa: N803 - scikit-learn's name
        """Fit the steps alone, and return which rows are learned from, shape (rows,)."""
        remember_columns(self, X)
        self.bounds_: list[dict[str, list[float]]] = [{} for _ in self.steps]
        self.fills_: list[dict[str, GroupImputer]] = [{} for _ in self.steps]
        return self._kept(X, y, fitting=True)

    def inside(self, X: "pd.DataFrame", y: Any) -> np.ndarray:  # noqa: N803 - scikit-learn's name
        """Return which rows are within the fitted bounds of all outliers; `dropped_` counts the others."""
        return self._kept(X, y, fitting=False)

    def _kept(self, rows: "pd.DataFrame", y: Any, *, fitting: bool) -> np.ndarray:
        self.dropped_: list[dict[str, Any]] = []
        mask, kept = np.zeros(len(rows), dtype=bool), np.arange(len(rows))
        for number, step in enumerate(self.steps):
            target = None if y is None else np.asarray(y)[kept]
            if fitting:
                self._fit_step(number, step, rows, target)
            if step["kind"] == "outliers":
                inside, counts = self._inside(number, rows, target)
                self.dropped_ += counts
                kept, rows = kept[inside], rows[inside]
            rows = self._changed(number, rows)
        mask[kept] = True
        return mask

    def _fit_step(self, number: int, step: dict[str, Any], rows: "pd.DataFrame", target: np.ndarray | None) -> None:
        for name, asked in step["columns"].items():
            if step["kind"] != "fill":
                self.bounds_[number][name] = bounds_of(self._values(name, rows, target), **asked)
            elif rows[name].notna().any():
                imputer = GroupImputer(asked.get("by", ()), asked["strategy"])
                self.fills_[number][name] = imputer.fit(rows[[name, *imputer.by]])

    def transform(self, X: "pd.DataFrame") -> Any:  # noqa: N803 - scikit-learn's name
        """Return all rows, prepared: none is dropped."""
        check_is_fitted(self, "columns_")
        return self.columns_.transform(self.prepared(X))

    def prepared(self, X: "pd.DataFrame") -> "pd.DataFrame":  # noqa: N803 - scikit-learn's name
        """Return the frame after clipping and filling."""
        for number in range(len(self.steps)):
            X = self._changed(number, X)  # noqa: N806
        return X

    def _changed(self, number: int, rows: "pd.DataFrame") -> "pd.DataFrame":
        if self.steps[number]["kind"] == "clip":
            bounds = self.bounds_[number].items()
            clipped = {name: np.clip(rows[name].to_numpy(), low, high) for name, (low, high) in bounds}
            return rows.assign(**clipped)
        filled = {name: each.transform(rows[[name, *each.by]])[:, 0] for name, each in self.fills_[number].items()}
        return rows.assign(**filled) if filled else rows

    def _inside(
        self, number: int, rows: "pd.DataFrame", target: np.ndarray | None
    ) -> tuple[np.ndarray, list[dict[str, Any]]]:
        """Return which rows are within the bounds, and what each column drops that none before it does."""
        inside, counts = np.ones(len(rows), dtype=bool), []
        for name, (low, high) in self.bounds_[number].items():
            values, before = self._values(name, rows, target), int(inside.sum())
            inside &= ~((values < low) | (values > high))  # what is missing is neither
            dropped = before - int(inside.sum())
            counts.append({"step": self.steps[number]["title"], "column": name, "rows_in": before, "dropped": dropped})
        return inside, counts

    def _values(self, name: str, rows: "pd.DataFrame", target: np.ndarray | None) -> np.ndarray:
        if name == self.target and target is not None:
            return np.asarray(target, dtype=np.float64)
        return rows[name].to_numpy(dtype=np.float64)

    def found(self) -> Iterator[dict[str, str]]:
        """Yield what was fitted, for people: `step`, `column` and `fitted`."""
        for step, bounds, fills in zip(self.steps, self.bounds_, self.fills_, strict=True):
            for name, (low, high) in bounds.items():
                yield {"step": step["title"], "column": name, "fitted": f"{low:g} to {high:g}"}
            for name, each in fills.items():
                groups = f", and {len(each.fills_[0]):,} groups by {', '.join(each.by)}" if len(each.by) else ""
                (overall,) = each.overall_
                shown = overall if isinstance(overall, str) else f"{overall:g}"
                yield {"step": step["title"], "column": name, "fitted": f"{shown}{groups}"}


def bounds_of(values: np.ndarray, *, quantiles: Sequence[float] | None = None, iqr: float | None = None) -> list[float]:
    """Return the bounds of numbers, by two of their quantiles or by interquartile ranges beside the quartiles.

    Quantiles are interpolated linearly (Hyndman and Fan 1996, type 7). What is missing or infinite does not count.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return [-float("inf"), float("inf")]
    low, high = (float(each) for each in np.quantile(known, quantiles or _QUARTILES))
    if iqr is None:
        return [low, high]
    return [low - iqr * (high - low), high + iqr * (high - low)]


class PipelineOfKeptRows(Pipeline):  # type: ignore[misc]  # no published types
    """A pipeline of `FittedSteps` and a model, which is fitted on the rows that the steps leave."""

    def fit(self, X: "pd.DataFrame", y: Any = None, **params: Any) -> Self:  # noqa: N803 - scikit-learn's name
        """Fit the steps on all rows, and the model on those within the bounds."""
        (_, prepared), (_, model) = self.steps
        matrix, kept = prepared.fit_rows(X, y)
        model.fit(matrix, y[kept], **params)
        return self
