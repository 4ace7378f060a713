"""Metrics by name: what they need, which way is better, and how they are computed without ever failing a run.

Does not belong here: which rows are judged (`assay.learning.evaluation.evaluating`), what follows from the numbers.
"""

from assay.learning.evaluation.metrics.catalogue import (
    Measured,
    Metric,
    default_metrics,
    measure,
    metric,
    primary_metric,
)
from assay.learning.evaluation.metrics.predictions import Predictions, predict

__all__ = ["Measured", "Metric", "Predictions", "default_metrics", "measure", "metric", "predict", "primary_metric"]
