"""What surrounds every step and run: retries, time limits, heartbeats, and the end of abandoned processes.

Belongs here: what holds for every step, whatever it computes.
Does not belong here: what a step computes (`ml_assets.assets`).
"""
