"""Tables as values: their schema, identity and conversion for learning.

Does not belong here: reading files (`assay.reading`), rules on rows (`assay.gate`).
"""
