"""Domain values as Dagster metadata: what a person looks at first.

Belongs here: tables, plots and links for the UI, check results.
Does not belong here: computing any number shown.
"""
