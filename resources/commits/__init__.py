"""Published versions of artifacts: immutable objects named by small numbered commit records.

Belongs here: the commit protocol over any object store.
Does not belong here: what an artifact's bytes mean (`resources.codecs`).
"""
