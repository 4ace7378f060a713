"""Model families: a name becomes an unfitted estimator with a search space and capabilities.

Belongs here: families, their registry, the pipeline of preprocessing and model, continuing from a fitted state.
Does not belong here: preprocessing itself, tuning, the final fit.
"""

from assay.learning.estimators import families

__all__ = ["families"]
