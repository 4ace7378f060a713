"""Model families: a name becomes an unfitted estimator with a search space and capabilities.

Belongs here: one module per family, the registry, the assembly with preprocessing, going on from a fitted state.
Does not belong here: preprocessing itself, tuning, the final fit.
"""
