"""What surrounds every step and run: repetition, time limits, and the end of what nobody waits for.

Does not belong here: what a step computes.
"""
