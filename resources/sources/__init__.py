"""Where rows come from: one module per scheme, all behind one interface.

Belongs here: listing a source's objects and bringing them to local files.
Does not belong here: what the bytes mean (`assay.reading`).
"""
