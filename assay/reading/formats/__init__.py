"""One module for each format, with its entries `FORMATS` for the registry (`assay.reading.registry`).

Belongs here: readers, from a local file to a stream of batches.
Does not belong here: what several formats share, compression.
"""
