"""The ends of intervals around the predictions of a regression."""

import numpy as np

from assay.results.trained_model import TrainedModel


def interval_ends(model: TrainedModel, predicted: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the ends of the intervals that are to hold a share of the targets, each of shape (n,).

    They are as wide for all rows, on the scale of `training.target_transform` where the pipeline has one and asks for
    intervals.

    Args:
        model: with its reference.
        predicted: its predictions, shape (n,).
        share: between 0 and 1.

    Returns:
        None where the model knows no errors, or too few for the share.
    """
    reference = model.manifest.reference
    width = None if reference is None else reference.half_width(share)
    if reference is None or width is None:
        return None
    if reference.on_transform:
        low, high = model.estimator[-1].around(predicted, width)
        return low, high
    return predicted - width, predicted + width
