"""Judging a trained model on rows it has never seen.

Belongs here: metrics, the report with baseline and slices, the plots.
Does not belong here: deciding what follows from them (`assay.promotion.decision`).
"""
