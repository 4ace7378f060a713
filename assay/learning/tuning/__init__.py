"""The search for hyperparameters, on training rows only.

Belongs here: search spaces, the objective, the study and its result.
Does not belong here: the families themselves (`assay.learning.estimators`), the final fit (`assay.learning`).
"""
