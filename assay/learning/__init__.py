"""Fitting the model that will be judged.

Belongs here: the final fit, its result and its identity.
Does not belong here: the search before it, the judgement after it.
"""
