"""New and rewritten objects of a source: which there are, which runs they ask for, what becomes of failed runs.

Belongs here: the decisions of the new-data sensor, as functions of a listing and of what was seen before.
Does not belong here: listing (`resources.sources`), keeping what was seen (`resources.arrivals_store`), starting runs
(`ml_assets.pipeline.new_data`).
"""
