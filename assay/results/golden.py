"""Golden predictions: what a model predicted for a few rows when it was trained."""

from typing import Literal

from pydantic import JsonValue

from assay.specs.base import Spec


class GoldenPredictions(Spec):
    """The predictions for the rows of the intake's example, as the model gave them at training."""

    format_version: Literal[1] = 1
    predictions: tuple[dict[str, JsonValue], ...] = ()
    """By name of the output's column, one for each row of the example, in order."""
    reason: str = ""
    """Why there are no predictions."""
