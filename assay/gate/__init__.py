"""The data-quality gate: rules, their verdict, the report and the receipt.

Belongs here: deciding whether a table may be learned from, and proving later that it was so decided.
Does not belong here: the names and settings of rules (`assay.specs`), storing verdicts (`resources.store`), showing
them (`ml_assets`).
"""
