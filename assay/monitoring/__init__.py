"""Monitoring of the current champion: drift of its features, and its performance.

Belongs here: the evaluation of one window of rows, and the alarm over several windows.
Does not belong here: what an alarm starts (`ml_assets`), rules of the gate (`assay.gate`).
"""
