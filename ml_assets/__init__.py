"""Thin Dagster: assets, checks, partitions, jobs and sensors, built from the specs.

Belongs here: what Dagster needs to know of a pipeline and of the platform.
Does not belong here: how anything is computed (`assay`) or stored (`resources`).
"""

import warnings

import dagster as dg

# data versions are supported by Dagster and marked beta; every step would print the mark
warnings.filterwarnings("ignore", message="Parameter `data_version`", category=dg.BetaWarning)
# backfills and the backtest need one run for a range; tests cover it, and Dagster's version is pinned
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=dg.BetaWarning)
# partitions of checks are a preview; tests cover them, and Dagster's minor version is pinned
warnings.filterwarnings("ignore", message="Specifying a partitions_def on an", category=dg.PreviewWarning)
# the interface that assets ask for by the key `mlflow`; tests cover it, and its minor version is pinned
warnings.filterwarnings("ignore", message="Class `MlFlow`", category=dg.BetaWarning)
warnings.filterwarnings("ignore", message="Function `_create_mlflow_run_hook`", category=dg.BetaWarning)
# the executor of Docker containers; a test runs it on an engine, and its minor version is pinned
warnings.filterwarnings("ignore", message="Function `docker_executor`", category=dg.BetaWarning)
