"""Frames of prepared rows in which some columns hold categories, and the matrices of which they are made."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def native_frame(matrix: np.ndarray, natives: Mapping[int, int]) -> Any:
    """Return a matrix as a frame with columns of pandas' `category`; the matrix itself where none is asked for.

    Args:
        matrix: float64, shape (rows, columns); codes from 0 in the native columns, NaN where missing.
        natives: number of codes, missing included, of each native column by its position.
    """
    import pandas as pd

    if not natives:
        return matrix

    def column(position: int) -> Any:
        values = matrix[:, position]
        if position not in natives:
            return values
        size = natives[position]
        codes = np.where(np.isnan(values), size - 1, values).astype(np.int32)
        return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(range(size)))  # type: ignore[arg-type] # arrays are taken

    return pd.DataFrame({str(position): column(position) for position in range(matrix.shape[1])})


def matrix_of(frame: "pd.DataFrame | np.ndarray") -> tuple[np.ndarray, dict[int, int]]:
    """Return the matrix and the native columns of which `native_frame` makes what is given."""
    if isinstance(frame, np.ndarray):
        return frame, {}
    natives = {n: len(each.categories) for n, each in enumerate(frame.dtypes) if hasattr(each, "categories")}
    columns = [frame.iloc[:, n].cat.codes if n in natives else frame.iloc[:, n] for n in range(frame.shape[1])]
    return np.column_stack([each.to_numpy(dtype=np.float64) for each in columns]), natives
