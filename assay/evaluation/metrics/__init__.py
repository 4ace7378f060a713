"""Metrics by name: what they need, which way is better, and how they are computed without ever failing a run.

Does not belong here: which rows are judged (`assay.evaluation.judging`), what follows from the numbers.
"""

from assay.evaluation.metrics.catalogue import default_metrics, metric, primary_metric
from assay.evaluation.metrics.measuring import Measured, Metric, measure
from assay.evaluation.metrics.predictions import Predictions, predict

__all__ = ["Measured", "Metric", "Predictions", "default_metrics", "measure", "metric", "predict", "primary_metric"]
