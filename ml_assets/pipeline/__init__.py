"""What every asset of a pipeline shares: the decorator, partitions, run parameters, triggers and verified inputs.

Belongs here: what Dagster needs to know of a pipeline as a whole.
Does not belong here: a single asset (`ml_assets.assets`), limits of steps and runs (`ml_assets.supervision`).
"""
