"""From validated rows to an evaluated model: split, search, fit, evaluation, persistence.

Belongs here: preprocessing, model families, tuning, the final fit, metrics and plots, models as files.
Does not belong here: what follows from an evaluation (`assay.promotion`), where models are stored (`resources`).
"""
