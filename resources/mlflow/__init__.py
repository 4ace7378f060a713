"""MLflow: connection, experiment tracking and the model registry.

Belongs here: every call of MLflow's API, and its failures as typed errors.
Does not belong here: which model becomes champion (`assay.promotion`).
"""
