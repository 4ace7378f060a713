"""The sentinel: leakage and unreadiness that no configured rule would find, one module per idea.

Does not belong here: rules that a pipeline configures; the sentinel's bounds (`assay.specs.validation`).
"""
