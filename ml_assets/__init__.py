"""Thin Dagster: assets, checks, partitions, jobs and sensors, built from the specs.

Belongs here: what Dagster must know.
Does not belong here: how anything is computed (`assay`) or stored (`resources`).
"""
