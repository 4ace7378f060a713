"""Bytes under keys: one interface, and one module per backend.

Belongs here: putting, getting, listing, and the one conditional put that commits rest upon.
Does not belong here: what objects mean (`resources.store`, `resources.artifacts`).
"""
