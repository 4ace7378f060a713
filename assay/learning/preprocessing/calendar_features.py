"""Moments in time as numbers."""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

_CYCLES = {"hour": 24.0, "weekday": 7.0, "month": 12.0}
_PARTS = ("year", "month", "day", "weekday", "hour")
_SECONDS_PER_DAY = 86_400.0


class CalendarFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # no published types
    """Calendar parts, their position in the cycles of day, week and year, and days since the training minimum.

    The last part says whether the moment is missing; NaT becomes NaN in every other part. Cycles are drawn as sine and
    cosine, so that December is next to January. A column without any value at fit becomes a constant 0.

    Attributes:
        origins_: shape (columns,), float64; the earliest moment at fit in seconds since 1970, NaN if there was none.
    """

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: ARG002, N803 - scikit-learn's signature
        """Note the earliest moment of each column.

        Args:
            X: shape (rows, columns), datetime64.
            y: not used.
        """
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        self.origins_ = np.array([_seconds(X[name]).min() for name in X.columns], dtype=np.float64)
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:  # noqa: N803 - scikit-learn's name
        """Return float64 of shape (rows, columns * parts)."""
        check_is_fitted(self)
        blocks = [
            np.zeros((len(X), len(_part_names()))) if np.isnan(origin) else _parts(X[name], origin)
            for name, origin in zip(X.columns, self.origins_, strict=True)
        ]
        return np.hstack(blocks)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:  # noqa: ARG002 - scikit-learn's signature
        """Return ``<column>_<part>`` for each part."""
        return np.array(
            [f"{column}_{part}" for column in self.feature_names_in_ for part in _part_names()], dtype=object
        )


def _part_names() -> list[str]:
    waves = [f"{cycle}_{wave}" for cycle in _CYCLES for wave in ("sin", "cos")]
    return [*_PARTS, *waves, "elapsed_days", "missing"]


def _seconds(moments: pd.Series) -> pd.Series:
    return (moments - pd.Timestamp(0)).dt.total_seconds()


def _parts(moments: pd.Series, origin: float) -> np.ndarray:
    parts = {part: getattr(moments.dt, part).to_numpy(dtype=np.float64) for part in _PARTS}
    angles = {cycle: 2 * np.pi * parts[cycle] / length for cycle, length in _CYCLES.items()}
    waves = [wave(angle) for angle in angles.values() for wave in (np.sin, np.cos)]
    elapsed = (_seconds(moments).to_numpy(dtype=np.float64) - origin) / _SECONDS_PER_DAY
    return np.column_stack([*parts.values(), *waves, elapsed, moments.isna().to_numpy(dtype=np.float64)])
