"""The parts of reading delimited text strictly: blocks of rows, their fields, header, conversion, and dialects.

Belongs here: what a lenient parser would silently read wrong, and conversion that loses nothing.
Does not belong here: the stream of all blocks (`assay.reading.formats.delimited_text`).
"""
