"""Delimited text, read strictly by Arrow: block by block, in bounded memory, without a silent change of any value.

Belongs here: what a lenient parser would get wrong without a word, and inference of types that loses nothing.
Does not belong here: guessing a dialect (`assay.reading.delimited.detection`).
"""
