"""Bytes of a source's files turned into a table, strictly: exact data or a typed refusal.

Belongs here: formats and dialects.
Does not belong here: fetching files (`resources.sources`), judging rows (`assay.gate`).
"""
