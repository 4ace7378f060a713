"""Bytes of a source's files as a table: exact data or a typed error.

Belongs here: formats, dialects, and the sandbox that parses files.
Does not belong here: fetching files (`resources.sources`), judging rows (`assay.gate`).
"""
