"""Tables as values: their schema, identity and conversion for learning.

Belongs here: what a table is, whatever it holds.
Does not belong here: reading files (`assay.reading`), judging rows (`assay.gate`).
"""
