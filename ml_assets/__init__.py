"""Thin Dagster: assets, checks, partitions, jobs and sensors, built from the specs.

Belongs here: what Dagster must know.
Does not belong here: how anything is computed (`assay`) or stored (`resources`).
"""

import warnings

import dagster as dg

# data versions are a supported part of Dagster that is still marked beta; the mark would be printed by every step
warnings.filterwarnings("ignore", message="Parameter `data_version`", category=dg.BetaWarning)
# one run for a range is what backfills and the backtest stand on; it is held by tests, and Dagster's version is pinned
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=dg.BetaWarning)
