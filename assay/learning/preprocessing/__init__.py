"""Transformers that scikit-learn lacks, one a module.

They import scikit-learn, so import them inside functions only.
Does not belong here: the choice of transformers for a column (`assay.learning.preprocessing.assembly`).
"""
