"""The sentinel: rules that find leakage and unreadiness without being configured, one module per idea.

Does not belong here: rules that a pipeline configures; the sentinel's bounds (`assay.specs.validation`).
"""

from assay.gate.sentinel import copies, readiness, reconstruction, repeats, suspicion, texts

__all__ = ["copies", "readiness", "reconstruction", "repeats", "suspicion", "texts"]
