"""Reports of runs to other tools: one module for each tool, all behind `RunObserver`.

Belongs here: how a tool is reached, and what it is sent. Does not belong here: Dagster's events (`ml_assets.observing`
reads them), and notifications to people (`resources.notifications`).
"""
