"""New and rewritten objects of a source: what was seen, which runs they need, and what happens when a run fails.

Does not belong here: listing a source (`resources.sources`), storing texts (`resources.arrivals_store`), Dagster's
sensors and runs (`ml_assets.pipeline`).
"""
