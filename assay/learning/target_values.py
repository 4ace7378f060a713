"""Targets that the transform of a pipeline does not take."""

import numpy as np
import pyarrow as pa

from assay.data.frames import target_series
from assay.errors import DataContractError
from assay.specs.pipeline import PipelineSpec

_ABOVE = {"log": 0.0, "log1p": -1.0}


def require_transformable(table: pa.Table, spec: PipelineSpec) -> None:
    """Refuse rows whose target `training.target_transform` does not take; names the first.

    Raises:
        DataContractError: a target has no logarithm.
    """
    name = spec.training.target_transform
    bound = _ABOVE.get(name or "")
    if bound is None:
        return
    values = target_series(table, spec.dataset.target, spec.task).to_numpy(dtype=np.float64)
    wrong = values <= bound
    if wrong.any():
        first = int(wrong.argmax())
        nearest = "log1p, or " if bound == 0 and (values > -1).all() else ""
        raise DataContractError(
            f"a target has no logarithm, which training.target_transform '{name}' takes",
            where=f"{spec.name}, {spec.dataset.target}",
            found=f"{values[first]:g} in row {first + 1:,}; {int(wrong.sum()):,} such rows",
            expected=f"numbers above {bound:g}",
            remedy=f"use target_transform: {nearest}yeo_johnson, which takes any number, or filter the rows",
        )
