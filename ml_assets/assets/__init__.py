"""The assets: each module builds one asset of a pipeline (`monitoring_reports` two), with its metadata and checks.

Belongs here: asset definitions whose bodies call domain functions, and how their values are shown.
Does not belong here: any number that is shown (`assay`), the list of assets (`ml_assets.stages`).
"""
