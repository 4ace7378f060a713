"""Whether a new model replaces the champion, the card that describes it, and predictions by the champion.

Belongs here: the decision and its evidence, the champion as a value, model cards.
Does not belong here: the registry that keeps champions (`resources.mlflow`), metrics (`assay.learning.evaluation`).
"""
