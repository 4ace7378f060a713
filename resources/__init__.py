"""The outside world: settings, object stores, artifacts, sources, MLflow.

Belongs here: talking to disks, networks and servers, and surviving them.
Does not belong here: any decision about data or models (`assay`), any asset (`ml_assets`).
"""
