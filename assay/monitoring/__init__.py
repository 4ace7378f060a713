"""What is watched once there is a champion: whether its features drift, and whether it still performs.

Belongs here: judging a window of rows, and when judgements of several windows make an alarm.
Does not belong here: what an alarm starts (`ml_assets`), rules of the gate (`assay.gate`).
"""
