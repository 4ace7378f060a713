"""Preprocessing: the transformers of each column by role or by explicit steps.

Belongs here: the assembly of a preprocessor, and transformers that scikit-learn lacks.
Does not belong here: fitting it, and features that the gate checks.
"""
