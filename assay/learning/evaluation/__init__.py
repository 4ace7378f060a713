"""The evaluation of a trained model on the holdout.

Belongs here: metrics, the report with baseline and slices, the plots.
Does not belong here: the decision that follows (`assay.promotion.decision`).
"""
