"""What is true of live predictions: which arm a key belongs to, and what the log of predictions holds.

Belongs here: pure functions and schemas of the log and of live comparisons.
Does not belong here: HTTP (`serving`), where the log is stored (`resources.prediction_log`).
"""
