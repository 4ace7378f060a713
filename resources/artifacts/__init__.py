"""How artifacts become files and files artifacts: one module per kind of value, none of them pickles.

Belongs here: safe formats.
Does not belong here: where the files go (`resources.artifacts.store`).
"""
