"""The evaluation of a trained model on the holdout: metrics, the report with baseline and slices, the plots.

Does not belong here: the decision that follows (`assay.promotion.decision`).
"""

from assay.learning.evaluation import metric_functions

__all__ = ["metric_functions"]
