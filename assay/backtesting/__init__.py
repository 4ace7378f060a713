"""Backtesting: the models of each as-of time, evaluated on the rows that came next.

Belongs here: the replay of the policies, the check that no model saw the future, the report and its curve.
Does not belong here: where past models and rows are stored (`resources`, `ml_assets`).
"""
